/**
 * The client protocol's tables of codes: errors, unsubscribes and disconnects. Numbers and texts follow Centrifugo
 * (centrifuge errors.go, unsubscribe.go, disconnect.go), so that every SDK reacts as its users know it. Here are those that somebody
 * sends; docs/protocol.md says what each means.
 */

/** Why a command failed: a code of the table below, or one of the app's own (400 to 1999). */
export interface CommandError {
  /** What programs go by. */
  code: number
  /** For people. */
  message: string
}

/** A failure as clients are told of it. */
export interface ClientError extends CommandError {
  /** The SDK may send the same command again by itself. */
  temporary?: true
}

/** What a reply to a command says when it failed. Only `internal` leaves open whether the command took effect. */
export const errors = {
  internal: { code: 100, message: 'internal server error', temporary: true },
  unknownChannel: { code: 102, message: 'unknown channel' },
  permissionDenied: { code: 103, message: 'permission denied' },
  alreadySubscribed: { code: 105, message: 'already subscribed' },
  limitExceeded: { code: 106, message: 'limit exceeded' },
  badRequest: { code: 107, message: 'bad request' },
  notAvailable: { code: 108, message: 'not available' },
  tokenExpired: { code: 109, message: 'token expired' },
  tooManyRequests: { code: 111, message: 'too many requests', temporary: true },
  unrecoverablePosition: { code: 112, message: 'unrecoverable position' },
  /** Ours: the command made the app fail; it had no effect and is kept as a dead letter. */
  deadLetter: { code: 1000, message: 'command set aside' },
} as const satisfies Record<string, ClientError>

/** What an unsubscribe or a close says. */
export interface CloseReason {
  /** What SDKs go by: its range says whether they come back. */
  code: number
  /** For people; at most 123 bytes, so that it fits into a close frame (RFC 6455, 5.5). */
  reason: string
}

/** Sent as a push; from 2500 on the client subscribes again by itself. */
export const unsubscribes = {
  insufficient: { code: 2500, reason: 'insufficient state' },
  expired: { code: 2501, reason: 'expired' },
  invalidated: { code: 2502, reason: 'state invalidated' },
} as const satisfies Record<string, CloseReason>

/** Sent as WebSocket close codes: 3000–3499 reconnect, 3500–3999 are final. */
export const disconnects = {
  shutdown: { code: 3001, reason: 'shutdown' },
  expired: { code: 3005, reason: 'connection expired' },
  slow: { code: 3008, reason: 'slow' },
  forceReconnect: { code: 3011, reason: 'force reconnect' },
  noPong: { code: 3012, reason: 'no pong' },
  tooManyRequests: { code: 3013, reason: 'too many requests' },
  invalidToken: { code: 3500, reason: 'invalid token' },
  badRequest: { code: 3501, reason: 'bad request' },
  stale: { code: 3502, reason: 'stale' },
  inappropriateProtocol: { code: 3506, reason: 'inappropriate protocol' },
  permissionDenied: { code: 3507, reason: 'permission denied' },
  notAvailable: { code: 3508, reason: 'not available' },
} as const satisfies Record<string, CloseReason>
