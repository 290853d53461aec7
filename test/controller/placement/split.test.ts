// Proves how a group is shared among versions: by slots to within one, with the coldest moving and no more than must;
// by traffic as near as slots can come, without churn.
import * as fc from 'fast-check'
import t from 'tap'
import { splitGroup, trafficTolerance, wantedCounts } from '../../../controller/placement/split.ts'
import type { SplitSlot } from '../../../controller/placement/split.ts'
import type { GroupTraffic } from '../../../controller/placement/traffic.ts'
import { slotId } from '../../../protocol/slot.ts'

const versions = ['v1', 'v2', 'v3']

const arbitrary = fc.record({
  holders: fc.array(fc.constantFrom(null, 'v1/a', 'v1/b', 'v2/c', 'v2/d', 'v3/e', 'old/f'), {
    minLength: 1,
    maxLength: 40,
  }),
  rates: fc.array(fc.nat(1_000), { minLength: 40, maxLength: 40 }),
  weights: fc.tuple(fc.nat(100), fc.nat(100), fc.nat(100)).filter((weights) => weights.some((weight) => weight > 0)),
})

interface Case {
  holders: (string | null)[]
  rates: number[]
  weights: number[]
}

const slotsOf = ({ holders, rates }: Case): SplitSlot[] =>
  holders.map((holder, index) => {
    const [version, worker] = holder?.split('/') ?? []
    return {
      slot: slotId('default', index),
      holder: holder === null ? null : { version: version!, worker: worker! },
      rate: rates[index]!,
    }
  })

const trafficOf = ({ weights }: Pick<Case, 'weights'>, weightBy: GroupTraffic['weightBy'] = 'slots'): GroupTraffic => ({
  group: 'default',
  shares: weights.map((weight, index) => ({ version: versions[index]!, weight })),
  weightBy,
})

const loadsOf = (slots: SplitSlot[]) => {
  const loads = new Map<string, number>()
  for (const { holder } of slots) if (holder) loads.set(holder.worker, (loads.get(holder.worker) ?? 0) + 1)
  return loads
}

const split = (each: Case, weightBy: GroupTraffic['weightBy'] = 'slots') => {
  const slots = slotsOf(each)
  const given = splitGroup(slots, trafficOf(each, weightBy), loadsOf(slots))
  return new Map(slots.filter(({ slot }) => given.has(slot)).map(({ slot }) => [slot, given.get(slot)!]))
}

const countOf = (given: Iterable<string>, version: string) => [...given].filter((each) => each === version).length

t.test('every slot has a version, and every version what its weight says to within one slot', async () => {
  fc.assert(
    fc.property(arbitrary, (each) => {
      const given = split(each)
      if (given.size !== each.holders.length) throw new Error('a slot has no version')
      const sum = each.weights.reduce((a, b) => a + b, 0)
      for (const [index, weight] of each.weights.entries()) {
        const quota = (each.holders.length * weight) / sum
        if (Math.abs(countOf(given.values(), versions[index]!) - quota) >= 1) throw new Error('not within one slot')
      }
    }),
  )
})

t.test('what fits stays, and what is shared once stays', async () => {
  fc.assert(
    fc.property(arbitrary, (each) => {
      const given = split(each)
      const again = split({ ...each, holders: [...given.values()].map((version) => `${version}/a`) })
      if ([...given].some(([slot, version]) => again.get(slot) !== version)) throw new Error('moved for nothing')
    }),
  )
})

t.test('no more slots move than the counts ask for', async () => {
  fc.assert(
    fc.property(arbitrary, (each) => {
      const slots = slotsOf(each)
      const given = split(each)
      for (const version of versions) {
        const held = slots.filter(({ holder }) => holder?.version === version)
        const kept = held.filter(({ slot }) => given.get(slot) === version).length
        const count = countOf(given.values(), version)
        if (kept !== Math.min(held.length, count)) throw new Error(`${version} lost what it could keep`)
      }
    }),
  )
})

t.test('of a worker that loses slots the coldest go, and the busiest stay', async () => {
  fc.assert(
    fc.property(arbitrary, (each) => {
      const slots = slotsOf(each)
      const given = split(each)
      for (const worker of 'abcde') {
        const mine = slots.filter(({ holder }) => holder?.worker === worker)
        const gone = mine.filter(({ slot, holder }) => given.get(slot) !== holder!.version).map(({ rate }) => rate)
        const kept = mine.filter(({ slot, holder }) => given.get(slot) === holder!.version).map(({ rate }) => rate)
        if (gone.length > 0 && kept.length > 0 && Math.max(...gone) > Math.min(...kept))
          throw new Error('a hot one went')
      }
    }),
  )
})

t.test('slots are taken from the workers that have most, so that nothing else has to move', async (t) => {
  const holders = Array.from({ length: 16 }, (_, index) => (index < 8 ? 'v1/a' : 'v1/b'))
  const rates = Array.from({ length: 40 }, (_, index) => index)
  const given = split({ holders, rates, weights: [75, 25, 0] })
  t.equal(countOf([...given.values()].slice(0, 8), 'v2'), 2)
  t.equal(countOf([...given.values()].slice(8), 'v2'), 2)
})

t.test('the largest remainders are rounded up', async (t) => {
  const shares = trafficOf({ weights: [10, 90, 0] }).shares
  t.same(
    wantedCounts(
      16,
      shares,
      new Map([
        ['v1', 0],
        ['v2', 0],
        ['v3', 0],
      ]),
    ),
    new Map([
      ['v1', 2],
      ['v2', 14],
      ['v3', 0],
    ]),
  )
  t.same(
    wantedCounts(
      16,
      shares,
      new Map([
        ['v1', 1],
        ['v2', 15],
        ['v3', 0],
      ]),
    ),
    new Map([
      ['v1', 1],
      ['v2', 15],
      ['v3', 0],
    ]),
    'what is within one slot already stays',
  )
})

t.test('by traffic, the measured share comes as near as slots allow', async () => {
  fc.assert(
    fc.property(arbitrary, (each) => {
      const slots = slotsOf(each)
      const total = slots.reduce((sum, { rate }) => sum + rate, 0)
      if (total === 0) return
      const given = split(each, 'traffic')
      const sum = each.weights.reduce((a, b) => a + b, 0)
      const hottest = Math.max(...each.rates.slice(0, slots.length))
      for (const [index, weight] of each.weights.entries()) {
        const mine = slots.filter(({ slot }) => given.get(slot) === versions[index])
        if (weight === 0 && mine.length > 0) throw new Error('a version without weight has slots')
        const off = Math.abs(mine.reduce((rate, slot) => rate + slot.rate, 0) - (total * weight) / sum)
        if (off > hottest + 2 * trafficTolerance * total) throw new Error(`${off} of ${total} off`)
      }
    }),
  )
})

t.test('by traffic, nothing moves for a gain that is not worth it', async (t) => {
  const holders = ['v1/a', 'v1/a', 'v1/a', 'v2/c']
  const rates = [25, 25, 25, 25, ...Array.from({ length: 36 }, () => 0)]
  const still = split({ holders, rates: [26, 24, 25, 25, ...rates.slice(4)], weights: [74, 26, 0] }, 'traffic')
  t.same([...still.values()], ['v1', 'v1', 'v1', 'v2'])
  const moved = split({ holders, rates, weights: [50, 50, 0] }, 'traffic')
  t.equal(countOf(moved.values(), 'v2'), 2)
})
