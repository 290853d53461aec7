import type { CommandError } from '../../protocol/client/codes.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { ClientWork, Work } from './work.ts'

/** A command as it is handed in: the uplink adds number, time and seed. */
export interface Request {
  method: string
  /** Empty when `slot` is named and the command concerns all of it. */
  channel: string
  slot?: SlotId
  session: string
  user: string
  connInfo: string | null
  history: { size: number; ttlMs: number }
  payload: Buffer
  /** Reads have no effect: they are sent again until their deadline. */
  isRead: boolean
  /** Not counted and without a deadline: what tidies up must always get through. */
  isExempt: boolean
  /** Handed back with the outcome. */
  work: Work
}

/** A command for which a client waits. */
export type ClientRequest = Request & { work: ClientWork }

/** What a command came to. `version` is that of the worker that handled it, '' when none did. */
export interface Outcome {
  error: CommandError | null
  body: Buffer
  version: string
}
