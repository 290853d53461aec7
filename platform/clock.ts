/** Time, injected so that a whole cluster can run on virtual time. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since 1970. May jump. */
  now(): number
  /** Milliseconds that only ever go forward; for deadlines and durations. */
  monotonic(): number
  after(ms: number, run: () => void): Timer
  every(ms: number, run: () => void): Timer
  sleep(ms: number): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return { cancel: () => clearTimeout(timer) }
  },
  every(ms, run) {
    const timer = setInterval(run, ms)
    return { cancel: () => clearInterval(timer) }
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}
