// Proves which worker gets which slot when groups are shared among versions: who cannot own gets nothing, what its
// versions lose falls to the others, and no group is left to nobody.
import t from 'tap'
import { placeTraffic } from '../../../controller/placement/place-traffic.ts'
import type { PlaceInput } from '../../../controller/placement/place-traffic.ts'
import type { Share } from '../../../controller/placement/traffic.ts'
import { missingVersions } from '../../../controller/placement/traffic.ts'
import { slotId } from '../../../protocol/slot.ts'
import { workerBeat } from '../beats.ts'

const ownersOf = (count: number, owner: string | null, group = 'default') =>
  Array.from({ length: count }, (_, index) => [slotId(group, index), owner] as const)

const input = (given: Partial<PlaceInput>): PlaceInput => ({
  owners: new Map(ownersOf(16, 'a')),
  workers: [workerBeat('a', 'v1'), workerBeat('b', 'v1'), workerBeat('c', 'v2')],
  traffic: [],
  rates: new Map(),
  serving: 'v1',
  ...given,
})

const shared = (...shares: Share[]) => [{ group: 'default', shares, weightBy: 'slots' as const }]

const countsOf = (placed: ReadonlyMap<string, string>) => {
  const counts: Record<string, number> = {}
  for (const worker of placed.values()) counts[worker] = (counts[worker] ?? 0) + 1
  return counts
}

t.test('where nothing is said of a group, it belongs to the version that serves', async (t) => {
  t.same(countsOf(placeTraffic(input({}))), { a: 8, b: 8 })
})

t.test('a weight is a share of the slots, and the workers of a version have the same number', async (t) => {
  const traffic = shared({ version: 'v1', weight: 75 }, { version: 'v2', weight: 25 })
  t.same(countsOf(placeTraffic(input({ traffic }))), { a: 6, b: 6, c: 4 })
})

t.test('what a version without a worker should have falls to the others', async (t) => {
  const traffic = shared({ version: 'v1', weight: 50 }, { version: 'v3', weight: 50 })
  t.same(countsOf(placeTraffic(input({ traffic }))), { a: 8, b: 8 })
  t.same([...missingVersions(traffic, (version) => version !== 'v3')], ['v3'])
})

t.test('a version without weight takes over when no other one is left', async (t) => {
  const traffic = shared({ version: 'v3', weight: 100 }, { version: 'v2', weight: 0 })
  t.same(countsOf(placeTraffic(input({ traffic }))), { c: 16 })
})

t.test('a group none of whose versions is left belongs to the version that serves', async (t) => {
  t.same(countsOf(placeTraffic(input({ traffic: shared({ version: 'v3', weight: 100 }) }))), { a: 8, b: 8 })
})

t.test('without any worker that is able, no slot has a place', async (t) => {
  t.equal(placeTraffic(input({ workers: [] })).size, 0)
})

t.test('groups are shared apart, and workers evened out over all of them', async (t) => {
  const owners = new Map([...ownersOf(8, 'a'), ...ownersOf(8, 'b', 'staff')])
  const traffic = [{ group: 'staff', shares: [{ version: 'v2', weight: 1 }], weightBy: 'slots' as const }]
  const placed = placeTraffic(input({ owners, traffic }))
  t.same(countsOf(placed), { a: 4, b: 4, c: 8 })
  t.ok([...placed].every(([slot, worker]) => slot.startsWith('staff/') === (worker === 'c')))
})
