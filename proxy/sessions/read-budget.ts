import type { Clock } from '../../platform/clock.ts'
import type { Session } from './session.ts'
import { refill } from './token-bucket.ts'
import type { Bucket } from './token-bucket.ts'

/** A bucket of bytes for each session. */
export interface ReadLimits {
  /** Bytes per second that a session may read in the long run, and at once. */
  rate: number
  burst: number
}

/**
 * What a session may read of what is stored, in bytes: history, messages, and what it missed. The weight of an answer is
 * known when it is there, so a budget goes below zero, and nothing more is read for its session until it is above again.
 */
export class ReadBudget {
  readonly #clock: Clock
  readonly #limits: ReadLimits

  constructor(clock: Clock, limits: ReadLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** True when the session may begin another read. */
  isLeft(session: Session): boolean {
    const bucket = this.#of(session)
    refill(bucket, this.#clock.monotonic(), this.#limits.rate, this.#limits.burst)
    return bucket.tokens > 0
  }

  /** A read has brought so many bytes. */
  take(session: Session, bytes: number): void {
    this.#of(session).tokens -= bytes
  }

  #of(session: Session): Bucket {
    return (session.readBudget ??= { tokens: this.#limits.burst, at: this.#clock.monotonic() })
  }
}
