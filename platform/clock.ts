/** A timer that runs. cancel() does nothing once it is over. */
export interface Timer {
  /** From here on nothing is run. */
  cancel(): void
}

/** Time, injected so that a whole cluster can run on virtual time. */
export interface Clock {
  /** Milliseconds since 1970. May jump. */
  now(): number
  /** Milliseconds that only ever go forward; for deadlines and durations. */
  monotonic(): number
  /** Runs something once, after at least so long, unless it is cancelled. */
  after(ms: number, run: () => void): Timer
  /** Runs something again and again, first after one interval. */
  every(ms: number, run: () => void): Timer
  /** Resolves after at least so long. */
  sleep(ms: number): Promise<void>
}

/** The longest wait that a timer of Node takes; a longer one is over at once (nodejs.org/api/timers.html). */
export const timerMaxMs = 2 ** 31 - 1

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => (ms > timerMaxMs ? afterLong(ms, run) : afterOnce(ms, run)),
  every(ms, run) {
    if (ms > timerMaxMs) return everyLong(ms, run)
    const timer = setInterval(run, ms)
    return { cancel: () => clearInterval(timer) }
  },
  sleep: (ms) => new Promise((resolve) => systemClock.after(ms, resolve)),
}

function afterOnce(ms: number, run: () => void): Timer {
  const timer = setTimeout(run, ms)
  return { cancel: () => clearTimeout(timer) }
}

/** One timer after the other. */
function afterLong(ms: number, run: () => void): Timer {
  let timer = afterOnce(timerMaxMs, () => (timer = systemClock.after(ms - timerMaxMs, run)))
  return { cancel: () => timer.cancel() }
}

function everyLong(ms: number, run: () => void): Timer {
  const again = (): Timer =>
    systemClock.after(ms, () => {
      timer = again()
      run()
    })
  let timer = again()
  return { cancel: () => timer.cancel() }
}
