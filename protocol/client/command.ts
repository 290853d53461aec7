import type { StreamPosition } from '../stream.ts'

/** What clients send, parsed and checked (client.proto of Centrifugo, JSON form). */

/** One command of a client. `id` is above 0 and comes back in its reply; `pong` and `send` have none and get none. */
export type ClientCommand =
  | { method: 'pong' }
  | { method: 'send' }
  | { id: number; method: 'connect'; token: string }
  | {
      id: number
      method: 'subscribe'
      channel: string
      token: string
      recover: StreamPosition | null
      /** Asked for, beside what the namespace forces. */
      recoverable: boolean
      positioned: boolean
      /** Answer with error 112 instead of `recovered: false`. */
      rejectUnrecovered: boolean
      /** Kind of the subscription; 0 is that to a stream. */
      type: number
      /** '' for whole publications. */
      delta: string
      /** It is to get only publications with certain tags. */
      isFiltered: boolean
    }
  | { id: number; method: 'unsubscribe'; channel: string }
  /** `data` is the payload's JSON as it came; null when there is none. */
  | { id: number; method: 'publish'; channel: string; data: string | null }
  | {
      id: number
      method: 'history'
      channel: string
      limit: number
      since: StreamPosition | null
      reverse: boolean
    }
  | { id: number; method: 'rpc'; name: string; data: string }
  | { id: number; method: 'refresh'; token: string }
  /** Known to the protocol, not offered here. */
  | { id: number; method: 'presence' | 'presence_stats' | 'sub_refresh' }
