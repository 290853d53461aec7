/** Codes with which a socket may close, or a client lose a channel, when a proxy fails; the first three are the SDK's. */

/** The socket is gone without a word. */
export const transportClosed = 1

/** A subscribe was not answered. */
export const subscribeTimeout = 3

/** An unsubscribe was not answered. */
export const unsubscribeError = 4

/** A proxy that was given up, or that has given up, asks its clients to resume elsewhere. */
export const forceReconnect = 3_011
