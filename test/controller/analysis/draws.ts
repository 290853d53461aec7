/** Draws that a seed decides. */
import type { Random } from '../../../platform/random.ts'

/** How many of `n` trials succeed. */
export function binomial(random: Random, n: number, rate: number): number {
  if (rate === 0) return 0
  // From one success to the next: the steps between them are geometric.
  const step = () => 1 + Math.floor(Math.log(1 - random.float()) / Math.log(1 - rate))
  let successes = 0
  for (let at = step(); at <= n; at += step()) successes++
  return successes
}

/** A time (ms) whose logarithm is normal, with this median. */
export function lognormal(random: Random, median: number, spread: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float())
  return median * Math.exp(spread * normal)
}
