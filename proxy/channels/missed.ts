import { errors } from '../../protocol/client/codes.ts'
import type { ClientError } from '../../protocol/client/codes.ts'
import { decodeRecovered, encodeRequest } from '../../protocol/records/runtime.ts'
import type { CommandError } from '../../protocol/client/codes.ts'
import type { Channel } from './channel.ts'
import type { ReadBudget } from '../uplink/read-budget.ts'
import type { Session } from '../sessions/session.ts'
import type { Outcome, Uplink } from '../uplink/uplink.ts'

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

/** Bytes that a page has at most, unless one publication alone is larger. */
export const pageBytesMax = 65_536

/** Who waits for a page. */
interface Reader {
  session: Session
  settle: (page: MissedPage) => void
}

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

  /** The error with which the read is refused; or null, and `settle` is called once. */
  read(
    { name }: Channel,
    session: Session,
    range: MissedRange,
    settle: (page: MissedPage) => void,
  ): ClientError | null {
    const { after, upTo, history, limit } = range
    const key = JSON.stringify([name, range])
    const waiting = this.#reads.get(key)
    if (waiting) {
      waiting.push({ session, settle })
      return null
    }
    const readers: Reader[] = [{ session, settle }]
    const n = this.#uplink.send({
      method: 'recover',
      channel: name,
      session: session.id,
      user: session.user,
      connInfo: null,
      history,
      payload: encodeRequest({ method: 'recover', range: { after, upTo, limit, bytesMax: pageBytesMax } }),
      isRead: true,
      isExempt: false,
      settle: (outcome) => {
        this.#reads.delete(key)
        const page = pageOf(outcome)
        for (const reader of readers) {
          this.#budget.take(reader.session, outcome.body.length)
          reader.settle(page)
        }
      },
    })
    if (typeof n !== 'number') return n
    this.#reads.set(key, readers)
    return null
  }
}

/** The slot has not, or cannot give, what is asked for: asking again is of no use. */
export function isNotThere({ code }: CommandError): boolean {
  return code === errors.unrecoverablePosition.code || code === errors.limitExceeded.code
}

function pageOf({ error, body }: Outcome): MissedPage {
  return error === null ? { publications: decodeRecovered(body) } : { error }
}
