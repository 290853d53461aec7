/**
 * Proves the statistics of analysis by simulation: looked at after every block, a test of two equal versions fails no
 * more often than alpha, and a worse version is found after about as many commands as are printed.
 */
import t from 'tap'
import {
  both,
  isEnough,
  noEvidence,
  raised,
  upperBound,
  withBlock,
  withShare,
} from '../../../controller/analysis/sequential.ts'
import type { Share } from '../../../controller/analysis/sequential.ts'
import { noTimesEvidence, logTimesEvidence, withTimes } from '../../../controller/analysis/times.ts'
import { timeBucket, timeBuckets } from '../../../protocol/records/counters.ts'
import { Seeded } from '../../simulation/seeded.ts'
import { binomial, lognormal } from './draws.ts'

const alpha = 0.05

/** Binomial noise of the simulation: so much above alpha is still no more than alpha. */
const slack = (runs: number) => 3 * Math.sqrt((alpha * (1 - alpha)) / runs)

interface Rates {
  stable: number
  canary: number
}

/** After how many looks the test says that the canary is worse; null when it never does. */
function looksUntilFound(seed: string, rates: Rates, sizes: Rates, looksMax: number): number | null {
  const random = new Seeded(seed)
  let evidence = noEvidence(raised)
  let past: Share = { n: 0, k: 0 }
  for (let look = 1; look <= looksMax; look++) {
    const draw = (side: keyof Rates) => ({ n: sizes[side], k: binomial(random, sizes[side], rates[side]) })
    const block = { stable: draw('stable'), canary: draw('canary') }
    evidence = withBlock(evidence, raised, block, past)
    past = both(past, both(block.stable, block.canary))
    if (isEnough(evidence, alpha)) return look
  }
  return null
}

const splits: Rates[] = [
  { stable: 900, canary: 100 },
  { stable: 50, canary: 50 },
  { stable: 9, canary: 1 },
]

void t.test(
  'two equal versions are told apart no more often than alpha, however often they are compared',
  async (t) => {
    const runs = 300
    for (const rate of [0.0001, 0.001, 0.01, 0.2]) {
      for (const sizes of splits) {
        const seeds = Array.from({ length: runs }, (_, seed) => `null ${seed} ${rate} ${sizes.canary}`)
        const found = seeds.filter((seed) => looksUntilFound(seed, { stable: rate, canary: rate }, sizes, 60) !== null)
        const share = found.length / runs
        t.ok(share <= alpha + slack(runs), `rate ${rate}, ${sizes.stable} to ${sizes.canary} a look: ${share} of all`)
      }
    }
  },
)

void t.test('nor when the canary is better, nor when the rate of both drifts', async (t) => {
  const runs = 200
  let found = 0
  for (let seed = 0; seed < runs; seed++)
    if (looksUntilFound(`better ${seed}`, { stable: 0.05, canary: 0.01 }, splits[0]!, 60) !== null) found++
  t.ok(found / runs <= alpha + slack(runs))
  let drifted = 0
  for (let seed = 0; seed < runs; seed++) {
    const random = new Seeded(`drift ${seed}`)
    let [evidence, past] = [noEvidence(raised), { n: 0, k: 0 }]
    for (let look = 1; look <= 60; look++) {
      const rate = 0.002 * look
      const draw = (n: number) => ({ n, k: binomial(random, n, rate) })
      const block = { stable: draw(90), canary: draw(10) }
      evidence = withBlock(evidence, raised, block, past)
      past = both(past, both(block.stable, block.canary))
      if (!isEnough(evidence, alpha)) continue
      drifted++
      break
    }
  }
  t.ok(drifted / runs <= alpha + slack(runs), `${drifted} of ${runs}`)
})

void t.test('a worse version is found, the sooner the worse it is', async (t) => {
  for (const [stable, canary, most] of [
    [0, 0.05, 1_000],
    [0.01, 0.06, 2_500],
    [0, 0.001, 20_000],
  ] as const) {
    for (const sizes of splits.slice(0, 2)) {
      const looks = Array.from({ length: 60 }, (_, seed) =>
        looksUntilFound(`power ${seed} ${canary} ${sizes.canary}`, { stable, canary }, sizes, 2_000),
      )
      const needed = looks.map((look) => (look ?? Infinity) * sizes.canary).sort((a, b) => a - b)
      const [half, most95] = [needed[30]!, needed[57]!]
      t.comment(
        `${stable} to ${canary}, ${sizes.stable} to ${sizes.canary} a look: ${half} commands of the canary (p95 ${most95})`,
      )
      t.ok(most95 <= most, `within ${most}`)
    }
  }
})

void t.test('a canary alone is compared with what its rate can have been', async (t) => {
  const runs = 300
  let found = 0
  for (let seed = 0; seed < runs; seed++) {
    const random = new Seeded(`alone ${seed}`)
    const bound = upperBound({ n: 1_000, k: binomial(random, 1_000, 0.01) }, alpha / 2)
    let evidence = noEvidence(raised)
    for (let look = 0; look < 60 && !isEnough(evidence, alpha / 2); look++)
      evidence = withShare(evidence, raised, { n: 100, k: binomial(random, 100, 0.01) }, bound)
    if (isEnough(evidence, alpha / 2)) found++
  }
  t.ok(found / runs <= alpha + slack(runs), `${found} of ${runs}`)
  const bound = upperBound({ n: 1_000, k: 0 }, 0.005)
  t.ok(bound > 0.005 && bound < 0.006)
  t.equal(upperBound({ n: 0, k: 0 }, 0.01), 1)
  t.ok(isEnough(withShare(noEvidence(raised), raised, { n: 200, k: 10 }, bound), 0.005))
  t.notOk(isEnough(withShare(noEvidence(raised), raised, { n: 200, k: 1 }, bound), 0.005))
})

/** After how many looks the test of times says that the canary is slower; null when it never does. */
function looksUntilSlow(seed: string, medians: Rates, looksMax: number): number | null {
  const random = new Seeded(seed)
  const at = { ratio: 1.5, floorMs: 2 }
  const none = () => Array.from({ length: timeBuckets.length + 1 }, () => 0)
  let evidence = noTimesEvidence
  const past = { stable: none(), canary: none() }
  for (let look = 1; look <= looksMax; look++) {
    const block = { stable: none(), canary: none() }
    for (const [side, n] of [
      ['stable', 45],
      ['canary', 5],
    ] as const)
      for (let batch = 0; batch < n; batch++) block[side][timeBucket(lognormal(random, medians[side], 0.5))]!++
    evidence = withTimes(evidence, block, past, at)
    for (const side of ['stable', 'canary'] as const)
      for (const [bucket, count] of block[side].entries()) past[side][bucket]! += count
    if (logTimesEvidence(evidence) >= -Math.log(alpha)) return look
  }
  return null
}

void t.test(
  'a canary that is as fast, or slower by less than matters, is called slow no more often than alpha',
  async (t) => {
    const runs = 200
    for (const canary of [5, 7]) {
      const seeds = Array.from({ length: runs }, (_, seed) => `fast ${seed} ${canary}`)
      const found = seeds.filter((seed) => looksUntilSlow(seed, { stable: 5, canary }, 60) !== null).length
      t.ok(found / runs <= alpha + slack(runs), `${canary} ms beside 5 ms: ${found} of ${runs}`)
    }
  },
)

void t.test('one that takes twice as long is found', async (t) => {
  const looks = Array.from({ length: 60 }, (_, seed) => looksUntilSlow(`slow ${seed}`, { stable: 5, canary: 10 }, 400))
  const needed = looks.map((look) => (look ?? Infinity) * 5).sort((a, b) => a - b)
  t.comment(`10 ms beside 5 ms, 45 to 5 a look: ${needed[30]} batches of the canary (p95 ${needed[57]})`)
  t.ok(needed[57]! <= 1_000)
})
