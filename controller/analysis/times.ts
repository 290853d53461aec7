import { timeBucket, timeBuckets } from '../../protocol/records/counters.ts'
import { logEvidence, noEvidence, raised, withBlock } from './sequential.ts'
import type { Evidence, Share } from './sequential.ts'

/** Counts by `timeBuckets`. */
export type Times = readonly number[]

/** What two versions took in the same time. */
export interface TimesBlock {
  stable: Times
  canary: Times
}

/** Shares of the stable version's times above which the canary's are counted, once it is as many times as slow. */
const tails: readonly number[] = [0.5, 0.2, 0.05]

/** Of one test for each of `tails`. */
export type TimesEvidence = readonly Evidence[]

/** Nothing is known yet. */
export const noTimesEvidence: TimesEvidence = tails.map(() => noEvidence(raised))

/**
 * Evidence after one more block, against "the canary takes at most `ratio` times as long". Were that so, it would take
 * more than ratio × t no more often than the stable version takes more than t, whatever t is: for each of a few t, chosen
 * by what the stable version took before the block, this is a comparison of two shares (see withBlock). `ratio` is
 * brought to the nearest step of the buckets, and what is below `floorMs` is not slow.
 */
export function withTimes(
  evidence: TimesEvidence,
  block: TimesBlock,
  past: TimesBlock,
  { ratio, floorMs }: { ratio: number; floorMs: number },
): TimesEvidence {
  if (sumOf(past.stable) === 0) return evidence
  const steps = stepsOf(ratio)
  const floor = timeBucket(floorMs)
  return evidence.map((each, index) => {
    const edge = Math.max(tailEdge(past.stable, tails[index]!), floor - steps)
    const shares = { stable: above(block.stable, edge), canary: above(block.canary, edge + steps) }
    return withBlock(each, raised, shares, above(past.stable, edge))
  })
}

/** The logarithm of the mean of all tests. */
export function logTimesEvidence(evidence: TimesEvidence): number {
  return logEvidence(evidence.map((each) => logEvidence(each)))
}

/** The mean (ms); 0 of none. Precise to a bucket. */
export function mean(times: Times): number {
  const n = sumOf(times)
  const last = timeBuckets.at(-1)!
  const sum = times.reduce((total, count, index) => total + count * (timeBuckets[index] ?? last), 0)
  return n === 0 ? 0 : sum / n
}

/** How many there are. */
export function sumOf(times: Times): number {
  return times.reduce((total, count) => total + count, 0)
}

/** Steps between buckets that are nearest to this ratio; at least one, for what is within one step cannot be told. */
function stepsOf(ratio: number): number {
  return Math.max(1, Math.round(2 * Math.log2(ratio)))
}

/** Of those in `times`, the ones above the upper bound of a bucket. */
function above(times: Times, bucket: number): Share {
  return { n: sumOf(times), k: sumOf(times.slice(bucket + 1)) }
}

/** The lowest bucket that at most this share of all is above. */
function tailEdge(times: Times, share: number): number {
  const most = sumOf(times) * share
  let rest = sumOf(times)
  return times.findIndex((count) => (rest -= count) <= most)
}
