/** Value below which the share `q` (0 to 1) of the samples lies. */
export function quantile(samples: number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

/** A steady rate, and for how long before and while it is measured: compilers, here and in the services, go first. */
export interface Load {
  perSecond: number
  warmUpSeconds: number
  seconds: number
}

/**
 * Calls `run` at a steady rate for a while, whether or not earlier calls have ended, and waits for all of them.
 */
export async function atRate(perSecond: number, seconds: number, run: (index: number) => Promise<void>): Promise<void> {
  const total = perSecond * seconds
  const start = performance.now()
  const running: Promise<void>[] = []
  while (running.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * perSecond))
    while (running.length < due) running.push(run(running.length))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(running)
}
