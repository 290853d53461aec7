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

export type ReplyMethod = 'connect' | 'unsubscribe' | 'publish' | 'history' | 'rpc' | 'refresh'

export interface ConnectResult {
  client: string
  version: string
  expires?: true
  /** Seconds. */
  ttl?: number
  ping?: number
  pong?: true
}

export interface SubscribeResult {
  recoverable?: true
  positioned?: true
  epoch?: string
  offset?: number
  recovered?: boolean
  was_recovering?: true
}

/** After being told it, a client comes back by itself, or does not. */
export function comesBack({ code }: CloseReason): boolean {
  return code < 3500 || (code >= 4000 && code < 4500) || code >= 5000
}
