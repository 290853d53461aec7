/** Time that a test leads. */
import type { Clock, Timer } from '../../platform/clock.ts'

/** A clock that stands still until the test moves it. */
export class ManualClock implements Clock {
  #now = 1_000_000
  #wallAheadMs = 0
  readonly #timers = new Set<{ at: number; every: number | null; run: () => void }>()

  now(): number {
    return this.#now + this.#wallAheadMs
  }

  monotonic(): number {
    return this.#now
  }

  after(ms: number, run: () => void): Timer {
    return this.#add(ms, null, run)
  }

  every(ms: number, run: () => void): Timer {
    return this.#add(ms, ms, run)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** The time of day is set, as a person or NTP does: timers and durations know nothing of it. */
  jump(ms: number): void {
    this.#wallAheadMs += ms
  }

  /** Moves on to each timer that is due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms
    while (true) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (!due) break
      this.#now = Math.max(this.#now, due.at)
      if (due.every === null) this.#timers.delete(due)
      else due.at += due.every
      due.run()
    }
    this.#now = end
  }

  #add(ms: number, every: number | null, run: () => void): Timer {
    const timer = { at: this.#now + ms, every, run }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }
}
