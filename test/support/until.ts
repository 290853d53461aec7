/** The one wait of all tests: for a condition, with a deadline and a name. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Between two looks at a condition: a tenth of the time that it has taken so far, within these bounds. */
const pauseMs = { min: 2, max: 25 }

/** Looks after the deadline: a process that could not run until then has not seen what arrived meanwhile. */
const lateLooks = 20

/**
 * Waits until `condition` gives something other than false, null or undefined, and returns that. One that throws counts
 * as not met yet: a process that is down refuses connections. After the deadline it fails with the name of what was
 * waited for, and the condition's last error as the cause.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs = 10_000,
): Promise<Exclude<T, false | null | undefined>> {
  const start = performance.now()
  let cause: unknown
  for (let late = 0; late <= lateLooks;) {
    try {
      const value = await condition()
      if (value !== false && value !== null && value !== undefined) return value as Exclude<T, false | null | undefined>
      cause = undefined
    } catch (error) {
      cause = error
    }
    const tookMs = performance.now() - start
    if (tookMs > deadlineMs) late += 1
    await sleep(Math.min(pauseMs.max, Math.max(pauseMs.min, tookMs / 10)))
  }
  throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause })
}
