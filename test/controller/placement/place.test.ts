// Proves placement: every worker gets its share to within one, nothing stays with an owner that is no candidate, and
// no placement that is as even moves fewer slots.
import * as fc from 'fast-check'
import t from 'tap'
import { place } from '../../../controller/placement/place.ts'
import { slotId } from '../../../protocol/slot.ts'

const names = ['w1', 'w2', 'w3', 'w4', 'w5', 'w6']

const arbitrary = (slotsMax: number, workersMax: number) =>
  fc.record({
    owners: fc.array(fc.constantFrom(null, 'dead', ...names.slice(0, workersMax)), { maxLength: slotsMax }),
    workers: fc.shuffledSubarray(names.slice(0, workersMax), { minLength: 1 }),
  })

const slotsOf = (owners: (string | null)[]) => new Map(owners.map((owner, index) => [slotId('default', index), owner]))

const countsOf = (placed: Iterable<string>, workers: string[]) => {
  const counts = new Map(workers.map((worker) => [worker, 0]))
  for (const worker of placed) counts.set(worker, counts.get(worker)! + 1)
  return [...counts.values()]
}

const isEven = (counts: number[]) => Math.max(...counts) - Math.min(...counts) <= 1

t.test('even, complete, and only with those that may own', async () => {
  fc.assert(
    fc.property(arbitrary(40, 6), ({ owners, workers }) => {
      const slots = slotsOf(owners)
      const placed = place(slots, workers)
      if (placed.size !== slots.size) throw new Error('a slot has no place')
      if ([...placed.values()].some((worker) => !workers.includes(worker))) throw new Error('placed with no candidate')
      if (!isEven(countsOf(placed.values(), workers))) throw new Error('not even')
    }),
  )
})

t.test('what is placed once stays', async () => {
  fc.assert(
    fc.property(arbitrary(40, 6), ({ owners, workers }) => {
      const placed = place(slotsOf(owners), workers)
      const again = place(placed, workers)
      if ([...placed].some(([slot, worker]) => again.get(slot) !== worker)) throw new Error('moved for nothing')
    }),
  )
})

/** Fewest moves of any even placement, by trying all of them. */
function fewest(owners: (string | null)[], workers: string[]): number {
  let best = Infinity
  const tried: string[] = []
  const go = (index: number, moves: number): void => {
    if (moves >= best) return
    if (index === owners.length) {
      if (isEven(countsOf(tried, workers))) best = moves
      return
    }
    for (const worker of workers) {
      tried.push(worker)
      go(index + 1, moves + (owners[index] === worker ? 0 : 1))
      tried.pop()
    }
  }
  go(0, 0)
  return best
}

t.test('as few moves as possible', async () => {
  fc.assert(
    fc.property(arbitrary(7, 3), ({ owners, workers }) => {
      const slots = slotsOf(owners)
      const placed = place(slots, workers)
      const moves = [...placed].filter(([slot, worker]) => slots.get(slot) !== worker).length
      const best = fewest(owners, workers)
      if (moves !== best) throw new Error(`${moves} moves where ${best} do`)
    }),
    { numRuns: 300 },
  )
})

t.test('who comes is given to, who goes is taken from, and nobody else notices', async () => {
  fc.assert(
    fc.property(arbitrary(64, 6), fc.nat(), ({ owners, workers }, which) => {
      const placed = place(slotsOf(owners), workers)
      const joined = place(placed, [...workers, 'new'])
      for (const [slot, worker] of joined) {
        if (worker !== placed.get(slot) && worker !== 'new') throw new Error(`${slot} moved among those that stayed`)
      }
      const gone = workers[which % workers.length]!
      const left = place(
        placed,
        workers.filter((worker) => worker !== gone),
      )
      for (const [slot, worker] of left) {
        const before = placed.get(slot)
        if (worker !== before && before !== gone) throw new Error(`${slot} moved although ${gone} had it not`)
      }
    }),
  )
})

t.test('nobody to place with', async (t) => {
  t.equal(place(slotsOf(['w1', null]), []).size, 0)
})
