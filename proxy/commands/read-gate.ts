import type { Env } from '../../cluster/env.ts'
import type { Timer } from '../../platform/clock.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { ClientError } from '../../protocol/client/codes.ts'
import type { ReadBudget } from '../sessions/read-budget.ts'
import type { Session, SessionReads } from '../sessions/session.ts'
import type { ClientRequest } from '../uplink/request.ts'
import type { Uplink } from '../uplink/uplink.ts'
import type { ClientWork } from '../uplink/work.ts'

/**
 * Reads of one session under way, and those that wait behind them; over that, error 111. One: an answer of 800 KB is
 * work for every process that it goes through, and several at once are noticed by everybody else.
 */
export const readsMax = { underWay: 1, waiting: 64 }

/** How often it is looked whether waiting reads may begin, while there are any. */
export const readSweepMs = 50

/** How long a read may wait, and who is told that it waited in vain. */
export interface ReadGateOptions {
  /** A read that has not begun by then is given up. */
  deadlineMs: number
  /** A read that waited comes to nothing. */
  refused: (work: ClientWork, error: ClientError) => void
}

/**
 * Reads of clients cost by what their answers weigh, so a session pays for its own in bytes. It has few under way; the
 * next ones wait until there is room and budget.
 */
export class ReadGate {
  readonly #env: Env
  readonly #uplink: Uplink
  readonly #budget: ReadBudget
  readonly #options: ReadGateOptions
  readonly #waiting = new Set<Session>()
  #timer: Timer | null = null

  constructor(env: Env, uplink: Uplink, budget: ReadBudget, options: ReadGateOptions) {
    this.#env = env
    this.#uplink = uplink
    this.#budget = budget
    this.#options = options
  }

  /** The error with which it is refused, or null: then it is sent, now or later, or `refused`. */
  send(session: Session, request: ClientRequest): ClientError | null {
    const now = this.#env.clock.monotonic()
    const reads = (session.reads ??= { underWay: 0, waiting: [] })
    if (reads.waiting.length === 0 && this.#mayBegin(session, reads)) return this.#begin(reads, request)
    if (reads.waiting.length >= readsMax.waiting) return errors.tooManyRequests
    reads.waiting.push({ request, deadlineAt: now + this.#options.deadlineMs })
    this.#waiting.add(session)
    this.#timer ??= this.#env.clock.every(readSweepMs, () => this.#sweep())
    return null
  }

  /** A read of the session is answered, with so many bytes. */
  ended(session: Session, bytes: number): void {
    const reads = session.reads!
    reads.underWay--
    this.#budget.take(session, bytes)
    this.#next(session, reads)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #mayBegin(session: Session, { underWay }: SessionReads): boolean {
    return underWay < readsMax.underWay && this.#budget.isLeft(session)
  }

  #begin(reads: SessionReads, request: ClientRequest): ClientError | null {
    const sent = this.#uplink.send(request)
    if (typeof sent !== 'number') return sent
    reads.underWay++
    return null
  }

  #next(session: Session, reads: SessionReads): void {
    if (session.phase === 'closed') reads.waiting = []
    const now = this.#env.clock.monotonic()
    while (reads.waiting.length > 0) {
      const [{ request, deadlineAt }] = reads.waiting as [SessionReads['waiting'][number]]
      const isLate = deadlineAt <= now
      if (!isLate && !this.#mayBegin(session, reads)) return
      reads.waiting.shift()
      const error = isLate ? errors.tooManyRequests : this.#begin(reads, request)
      if (error) this.#options.refused(request.work, error)
    }
    this.#waiting.delete(session)
  }

  #sweep(): void {
    for (const session of this.#waiting) this.#next(session, session.reads!)
    if (this.#waiting.size > 0) return
    this.#timer?.cancel()
    this.#timer = null
  }
}
