/** Codes with which the SDK says that a socket closed, or a channel was lost, when a proxy fails. */

/** The socket is gone without a word. */
export const transportClosed = 1

/** A subscribe was not answered. */
export const subscribeTimeout = 3

/** An unsubscribe was not answered. */
export const unsubscribeError = 4
