/** Hand-offs that took longer than they may, within `windowMs`, from which on slots move one at a time for `slowMs`. */
export const longPauses = { max: 3, windowMs: 60_000, slowMs: 60_000 }

/** Watches how long slots stand still while they are handed over. */
export class PauseWatch {
  /** Monotonic ms of those that were too long, newest last. */
  readonly #long: number[] = []
  #slowUntil = -Infinity

  /** A hand-off came about at the monotonic time `now`. Returns true when slots move one at a time from now on. */
  note(pauseMs: number, maxPauseMs: number | null, now: number): boolean {
    if (maxPauseMs === null || pauseMs <= maxPauseMs) return false
    this.#long.push(now)
    if (this.#long.length > longPauses.max) this.#long.shift()
    const isMany = this.#long.length === longPauses.max && now - this.#long[0]! <= longPauses.windowMs
    if (!isMany) return false
    const isNew = !this.isSlow(now)
    this.#slowUntil = now + longPauses.slowMs
    return isNew
  }

  /** Slots move one at a time. */
  isSlow(now: number): boolean {
    return now < this.#slowUntil
  }
}
