import type { Env } from '../../cluster/env.ts'
import type { Timer } from '../../platform/clock.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { ClientError } from '../../protocol/client/codes.ts'
import type { ReadBudget } from './read-budget.ts'
import type { Session } from '../sessions/session.ts'
import type { Outcome, Request, Uplink } from './uplink.ts'

/**
 * Reads of one session under way, and those that wait behind them; over that, error 111. One: an answer of 800 KB is
 * work for every process that it goes through, and several at once are noticed by everybody else.
 */
export const readsMax = { underWay: 1, waiting: 64 }

/** How often it is looked whether waiting reads may begin, while there are any. */
export const readSweepMs = 50

/** What a session reads: a plain value, there from its first read on. */
export interface SessionReads {
  underWay: number
  waiting: { request: Request; deadlineAt: number }[]
}

const nothing = Buffer.alloc(0)

/**
 * Reads of clients cost by what their answers weigh, so a session pays for its own in bytes. It has few under way; the
 * next ones wait until there is room and budget.
 */
export class ReadGate {
  readonly #env: Env
  readonly #uplink: Uplink
  readonly #budget: ReadBudget
  /** A read that has not begun by then is given up. */
  readonly #deadlineMs: number
  readonly #waiting = new Set<Session>()
  #timer: Timer | null = null

  constructor(env: Env, uplink: Uplink, budget: ReadBudget, deadlineMs: number) {
    this.#env = env
    this.#uplink = uplink
    this.#budget = budget
    this.#deadlineMs = deadlineMs
  }

  /** The error with which it is refused, or null: then `settle` of the request is called, once. */
  send(session: Session, request: Request): ClientError | null {
    const now = this.#env.clock.monotonic()
    const reads = (session.reads ??= { underWay: 0, waiting: [] })
    if (reads.waiting.length === 0 && this.#mayBegin(session, reads)) return this.#begin(session, reads, request)
    if (reads.waiting.length >= readsMax.waiting) return errors.tooManyRequests
    reads.waiting.push({ request, deadlineAt: now + this.#deadlineMs })
    this.#waiting.add(session)
    this.#timer ??= this.#env.clock.every(readSweepMs, () => this.#sweep())
    return null
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #mayBegin(session: Session, { underWay }: SessionReads): boolean {
    return underWay < readsMax.underWay && this.#budget.isLeft(session)
  }

  #begin(session: Session, reads: SessionReads, request: Request): ClientError | null {
    const settle = (outcome: Outcome) => {
      reads.underWay--
      this.#budget.take(session, outcome.body.length)
      request.settle(outcome)
      this.#next(session, reads)
    }
    const sent = this.#uplink.send({ ...request, settle })
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
      const error = isLate ? errors.tooManyRequests : this.#begin(session, reads, request)
      if (error) request.settle({ error, body: nothing, version: '' })
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
