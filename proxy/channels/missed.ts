import { errors } from '../../protocol/client/codes.ts'
import type { ClientError, CommandError } from '../../protocol/client/codes.ts'
import { decodeRecovered, encodeRequest } from '../../protocol/records/runtime.ts'
import type { ReadBudget } from '../sessions/read-budget.ts'
import type { Session } from '../sessions/session.ts'
import type { Outcome } from '../uplink/request.ts'
import type { Uplink } from '../uplink/uplink.ts'

/** Which publications of a channel: those after one offset up to another, as many of them as history has. */
export interface MissedRange {
  after: number
  upTo: number
  history: { size: number; ttlMs: number }
  /** Publications at most, or nothing at all. */
  limit: number
}

/** The first of a range, each as the JSON of a publication; or why there are none (112: not all of it is there). */
export type MissedPage = { error: CommandError } | { publications: string[] }

/** Who waits for a page: a session that joins the channel, or one that is behind in it. */
export interface Reader {
  for: 'joining' | 'behind'
  session: Session
  channel: string
  after: number
  upTo: number
}

/** Bytes that a page has at most, unless one publication alone is larger. */
export const pageBytesMax = 65_536

/**
 * Reads what sessions missed at the slots of their channels, a page at a time. Sessions that come back together have
 * mostly missed the same: one read serves them all, is charged to each of them, and ends for them all at the deadline of
 * the first.
 */
export class Missed {
  readonly #uplink: Uplink
  readonly #budget: ReadBudget
  readonly #reads = new Map<string, Reader[]>()

  constructor(uplink: Uplink, budget: ReadBudget) {
    this.#uplink = uplink
    this.#budget = budget
  }

  /** The error with which the read is refused, or null: then `answered` names this reader once. */
  read(reader: Reader, range: MissedRange): ClientError | null {
    const { channel, session } = reader
    const { after, upTo, history, limit } = range
    const key = JSON.stringify([channel, range])
    const readers = this.#reads.get(key)
    if (readers) {
      readers.push(reader)
      return null
    }
    const n = this.#uplink.send({
      method: 'recover',
      channel,
      session: session.id,
      user: session.user,
      connInfo: null,
      history,
      payload: encodeRequest({ method: 'recover', range: { after, upTo, limit, bytesMax: pageBytesMax } }),
      isRead: true,
      isExempt: false,
      work: { for: 'missed', key },
    })
    if (typeof n !== 'number') return n
    this.#reads.set(key, [reader])
    return null
  }

  /** The read of this key is answered: for whom, and with what. */
  answered(key: string, { error, body }: Outcome): { readers: Reader[]; page: MissedPage } {
    const readers = this.#reads.get(key) ?? []
    this.#reads.delete(key)
    for (const { session } of readers) this.#budget.take(session, body.length)
    return { readers, page: error === null ? { publications: decodeRecovered(body) } : { error } }
  }
}

/** The slot has not, or cannot give, what is asked for: asking again is of no use. */
export function isNotThere({ code }: CommandError): boolean {
  return code === errors.unrecoverablePosition.code || code === errors.limitExceeded.code
}
