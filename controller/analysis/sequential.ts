/** So many things that happened, of so many that could have. */
export interface Share {
  n: number
  k: number
}

/** What two versions did in the same time. */
export interface Block {
  stable: Share
  canary: Share
}

/**
 * Evidence that the canary's rate is higher (or lower): for each alternative the logarithm of what a bet on it has
 * grown to. Plain data.
 */
export type Evidence = readonly number[]

/** Factors by which the rate of an alternative is above the expected one. */
export const raised: readonly number[] = [2, 4, 16, 64, 256, 1_024]
/** The same for alternatives in which something that is usual comes seldom. */
export const lowered: readonly number[] = [1 / 4, 1 / 64]

/** A rate that is expected without having been seen, and bounds of what is bet on. */
const expectedRate = 1e-3
const rateBounds = { low: 1e-5, high: 0.95 }

/** Nothing is known yet. */
export function noEvidence(factors: readonly number[]): Evidence {
  return factors.map(() => 0)
}

/**
 * Evidence after one more block, against "the canary's rate is not on the side of the factors". `past` is what both
 * versions did before the block: what is bet may depend on that, and on nothing in the block.
 *
 * Each bet is the two-sample e-variable of Turner, Ly and Grünwald ("Generic E-variables for exact sequential k-sample
 * tests that allow for optional stopping", J. Stat. Plan. Inference 230, 2024): the likelihood of two rates, divided by
 * that of their weighted mean in both groups. Its expected value is at most 1 whatever the common rate is, in each block
 * anew, so the rate may drift; and also when the canary's rate is on the other side, for the factor of either group
 * falls with it. Products of such bets over blocks, and their mean over alternatives, keep that.
 */
export function withBlock(evidence: Evidence, factors: readonly number[], block: Block, past: Share): Evidence {
  const expected = clamped((past.k + expectedRate) / (past.n + 1))
  return evidence.map((log, index) => log + logBet(block, expected, clamped(expected * factors[index]!)))
}

/**
 * Evidence after more of the canary alone, against "its rate is at most `bound`": the likelihood ratio of Bernoulli
 * trials, whose expected value is at most 1 for every rate up to the bound. For when nothing else runs beside it.
 */
export function withShare(evidence: Evidence, factors: readonly number[], more: Share, bound: number): Evidence {
  const most = clamped(bound)
  return evidence.map((log, index) => {
    const rate = clamped(most * factors[index]!)
    return rate > most ? log + logRatio(more, rate, most) : log
  })
}

/**
 * A rate that the true one exceeds with a probability of at most `delta`, as many as were seen: the Chernoff bound in
 * its Kullback–Leibler form (Chernoff, "A measure of asymptotic efficiency", Ann. Math. Stat. 23, 1952). 1 of none.
 */
export function upperBound({ n, k }: Share, delta: number): number {
  const [seen, enough] = [rateOf({ n, k }), -Math.log(delta)]
  let [low, high] = [seen, 1]
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2
    if (n * divergence(seen, middle) < enough) low = middle
    else high = middle
  }
  return high
}

/** The logarithm of the mean over alternatives: what all bets together have grown to. */
export function logEvidence(evidence: Evidence): number {
  const most = Math.max(...evidence)
  return most + Math.log(evidence.reduce((sum, log) => sum + Math.exp(log - most), 0) / evidence.length)
}

/**
 * Whether there is enough of it: by Ville's inequality evidence that is worth nothing ever reaches 1/alpha with a
 * probability of at most alpha, however often it is looked at.
 */
export function isEnough(evidence: Evidence, alpha: number): boolean {
  return logEvidence(evidence) >= -Math.log(alpha)
}

/** Two shares together. */
export function both(a: Share, b: Share): Share {
  return { n: a.n + b.n, k: a.k + b.k }
}

/** What there is more of now than before. */
export function since(now: Share, before: Share): Share {
  return { n: now.n - before.n, k: now.k - before.k }
}

/** The rate; 0 of none. */
export function rateOf({ n, k }: Share): number {
  return n === 0 ? 0 : k / n
}

function logBet({ stable, canary }: Block, stableRate: number, canaryRate: number): number {
  const n = stable.n + canary.n
  if (stable.n === 0 || canary.n === 0) return 0
  const mean = (stable.n * stableRate + canary.n * canaryRate) / n
  return logRatio(stable, stableRate, mean) + logRatio(canary, canaryRate, mean)
}

function logRatio({ n, k }: Share, rate: number, mean: number): number {
  return k * Math.log(rate / mean) + (n - k) * Math.log((1 - rate) / (1 - mean))
}

/** Kullback–Leibler divergence of Bernoulli trials. */
function divergence(p: number, q: number): number {
  const part = (x: number, y: number) => (x === 0 ? 0 : x * Math.log(x / y))
  return part(p, q) + part(1 - p, 1 - q)
}

function clamped(rate: number): number {
  return Math.min(Math.max(rate, rateBounds.low), rateBounds.high)
}
