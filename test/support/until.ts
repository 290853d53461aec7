import { setTimeout as sleep } from 'node:timers/promises'

/** How often a condition is looked at. */
export const pollMs = 25

export interface Wait {
  /** After this long it fails. */
  deadlineMs: number
  /** What is waited for; the error says it. */
  what: string
}

/**
 * Waits until `condition` gives something other than false, null or undefined, and returns that. A condition that
 * throws counts as not met yet: a process that is down refuses connections. The error of the deadline carries the
 * last one as its cause.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  wait: Wait,
): Promise<Exclude<T, false | null | undefined>> {
  const end = performance.now() + wait.deadlineMs
  let cause: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value !== false && value !== null && value !== undefined) return value as Exclude<T, false | null | undefined>
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() >= end) throw new Error(`not within ${wait.deadlineMs} ms: ${wait.what}`, { cause })
    await sleep(pollMs)
  }
}
