import type { Env } from '../platform/env.ts'
import type { Timer } from '../platform/clock.ts'
import { errors } from '../protocol/codes.ts'
import type { ClientError } from '../protocol/codes.ts'
import type { Session } from './session.ts'
import { refill } from './token-bucket.ts'
import type { Bucket } from './token-bucket.ts'
import type { Outcome, Request, Uplink } from './uplink.ts'

/**
 * Reads of one session under way, and those that wait behind them; over that, error 111. One: an answer of 800 KB is
 * work for every process that it goes through, and several at once are noticed by everybody else.
 */
export const readsMax = { underWay: 1, waiting: 64 }

/** How often it is looked whether waiting reads may begin, while there are any. */
export const readSweepMs = 50

export interface ReadGateOptions {
  /** Bytes of answers per second that a session may read in the long run, and at once. */
  rate: number
  burst: number
  /** A read that has not begun by then is given up. */
  deadlineMs: number
}

/** What a session reads: a plain value, there from its first read on. */
export interface SessionReads {
  /** In bytes. Below zero once answers weighed more than there was: their weight is known when they come. */
  budget: Bucket
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
  readonly #options: ReadGateOptions
  readonly #waiting = new Set<Session>()
  #timer: Timer | null = null

  constructor(env: Env, uplink: Uplink, options: ReadGateOptions) {
    this.#env = env
    this.#uplink = uplink
    this.#options = options
  }

  /** The error with which it is refused, or null: then `settle` of the request is called, once. */
  send(session: Session, request: Request): ClientError | null {
    const now = this.#env.clock.monotonic()
    const reads = (session.reads ??= {
      budget: { tokens: this.#options.burst, at: now },
      underWay: 0,
      waiting: [],
    })
    if (reads.waiting.length === 0 && this.#mayBegin(reads)) return this.#begin(session, reads, request)
    if (reads.waiting.length >= readsMax.waiting) return errors.tooManyRequests
    reads.waiting.push({ request, deadlineAt: now + this.#options.deadlineMs })
    this.#waiting.add(session)
    this.#timer ??= this.#env.clock.every(readSweepMs, () => this.#sweep())
    return null
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #mayBegin({ budget, underWay }: SessionReads): boolean {
    if (underWay >= readsMax.underWay) return false
    refill(budget, this.#env.clock.monotonic(), this.#options.rate, this.#options.burst)
    return budget.tokens > 0
  }

  #begin(session: Session, reads: SessionReads, request: Request): ClientError | null {
    const settle = (outcome: Outcome) => {
      reads.underWay--
      reads.budget.tokens -= outcome.body.length
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
      if (!isLate && !this.#mayBegin(reads)) return
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
