import type { ClientError, CloseReason } from './codes.ts'

/** What a proxy tells a client: replies, each to the command of its id, and pushes. Encoded by the codec of its connection. */
export type ServerMessage =
  | { kind: 'reply'; id: number; method: ReplyMethod; result: string }
  | { kind: 'error'; id: number; error: ClientError }
  | { kind: 'subscribed'; id: number; result: SubscribeResult; publications: string[] }
  | { kind: 'publication'; channel: string; publication: string }
  | { kind: 'unsubscribed'; channel: string; reason: CloseReason }
  | { kind: 'disconnect'; reason: CloseReason }
  | { kind: 'ping' }

/** Methods whose result is one JSON text that is passed on as it is. */
export type ReplyMethod = 'connect' | 'unsubscribe' | 'publish' | 'history' | 'rpc' | 'refresh'

/** ConnectResult of client.proto (Centrifugo): what a session is told once. */
export interface ConnectResult {
  /** The session's id, a UUID. */
  client: string
  /** Of this program, for people. */
  version: string
  /** The token ends, after `ttl` seconds; a refresh brings a new one. */
  expires?: true
  /** Seconds. */
  ttl?: number
  /** Seconds between two pings of the proxy; the client counts on them. */
  ping?: number
  /** The client has to answer pings. */
  pong?: true
}

/** SubscribeResult of client.proto (Centrifugo): what a subscription is, and where its stream stands. */
export interface SubscribeResult {
  /** What is missed can be asked for with epoch and offset. */
  recoverable?: true
  /** Publications carry offsets, and a gap in them ends the subscription with 2500. */
  positioned?: true
  /** Where the stream stands: publications after this offset follow as pushes. */
  epoch?: string
  /** See `epoch`. */
  offset?: number
  /** Whether all that was missed comes with the reply; only where the client asked. */
  recovered?: boolean
  /** The client asked to recover. */
  was_recovering?: true
}

/** After being told it, a client comes back by itself, or does not. */
export function comesBack({ code }: CloseReason): boolean {
  return code < 3500 || (code >= 4000 && code < 4500) || code >= 5000
}
