import type { SlotId } from '../../protocol/slot.ts'

/** What a command in flight is for. Plain values: they say all that is needed when its answer comes, wherever that is. */
export type Work =
  | ClientWork
  /** The first of its sessions opens a channel: whoever joins it waits. */
  | { for: 'open'; channel: string }
  | { for: 'close'; channel: string }
  /** Where the channels of a slot are; asked at this monotonic time (ms). */
  | { for: 'tops'; slot: SlotId; askedAt: number }
  /** Publications that sessions missed; the key names who waits for them. */
  | { for: 'missed'; key: string }

/** A client waits for the reply to a command that was forwarded. */
export interface ClientWork {
  for: 'client'
  /** Of the session; it may be over when the answer comes. */
  session: string
  /** Of the client's command. */
  id: number
  reply: 'publish' | 'history' | 'rpc'
  /** What metrics call it. */
  method: string
  isRead: boolean
  /** Monotonic ms. */
  started: number
}
