import type { Clock } from '../../platform/clock.ts'

/**
 * Time of day as it was when this began, that only goes forward since: what it says can be kept in the store and taken up
 * by another leader, and a clock that is set while a rollout is under way ends no pause.
 */
export class RolloutClock {
  readonly #clock: Clock
  readonly #aheadMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#aheadMs = clock.now() - clock.monotonic()
  }

  /** Ms since 1970. */
  now(): number {
    return Math.round(this.#clock.monotonic() + this.#aheadMs)
  }
}
