/** Where slots are, and when a weight counts as carried out. */
import { test } from 'tap'
import { isCarriedOut, slotsOf } from '../../../controller/rollouts/cluster-view.ts'
import type { ClusterView } from '../../../controller/rollouts/cluster-view.ts'
import { Departures } from '../../../controller/rollouts/departures.ts'
import { versionViews } from '../../../controller/rollouts/versions.ts'
import type { WorkerBeat } from '../../../protocol/records/heartbeat.ts'
import { slotId } from '../../../protocol/slot.ts'
import type { Lease } from '../../../store/store.ts'

const worker = (id: string, version: string, state: WorkerBeat['state'] = 'live') =>
  ({ id, version, state }) as WorkerBeat

/** Owners by group; `-` is nobody. */
function view(groups: Record<string, string>, moving: string[] = []): ClusterView {
  const leases = Object.entries(groups).flatMap(([group, owners]) =>
    owners
      .split('')
      .map((owner, slot) => ({ slot: slotId(group, slot), owner: owner === '-' ? null : owner }) as Lease),
  )
  const workers = [worker('a', 'v1'), worker('b', 'v2')]
  return {
    leases,
    workers,
    starting: [],
    stuck: new Set(),
    proxies: [],
    serving: 'v1',
    moving: new Set(moving as never[]),
    weightBy: 'slots',
    maxPauseMs: null,
  }
}

const share = { groups: 'all', stable: 'v1', canary: 'v2', weight: 50 } as const

test('a weight is carried out within a slot of it in each group, and to the slot at its ends', (t) => {
  const at = (owners: string, weight: number) => isCarriedOut(view({ default: owners }), { ...share, weight })
  t.equal(at('aaaaaaab', 10), true)
  t.equal(at('aaaaaaaa', 10), true)
  t.equal(at('aaaaaabb', 10), false)
  t.equal(at('aaaaaaab', 0), false)
  t.equal(at('aaaaaaaa', 0), true)
  t.equal(at('bbbbbbba', 100), false)
  t.equal(at('bbbbbbbb', 100), true)
  t.equal(isCarriedOut(view({ default: 'aabb', staff: 'bbbb' }), share), false)
  t.equal(isCarriedOut(view({ default: 'aabb', staff: 'bbbb' }), { ...share, groups: ['default'] }), true)
  t.end()
})

test('it is not while a slot is on its way, or has no owner that lives', (t) => {
  t.equal(isCarriedOut(view({ default: 'aabb' }, ['default/0']), share), false)
  t.equal(isCarriedOut(view({ default: 'aabb', staff: 'ab' }, ['staff/0']), { ...share, groups: ['default'] }), true)
  t.equal(isCarriedOut(view({ default: 'a-bb' }), share), false)
  t.equal(isCarriedOut(view({ default: 'axbb' }), share), false)
  t.end()
})

test('it is not while a third version has slots: they are neither back nor on', (t) => {
  const viewOf = (owners: string): ClusterView => {
    const { workers, ...rest } = view({ default: owners })
    return { ...rest, workers: [...workers, worker('c', 'v3')] }
  }
  const at = (owners: string, weight: number) => isCarriedOut(viewOf(owners), { ...share, weight })
  t.equal(at('cccc', 0), false)
  t.equal(at('aaac', 0), false)
  t.equal(at('abbc', 50), false)
  t.equal(isCarriedOut(viewOf('aaac'), { ...share, canary: 'v1', weight: 100 }), false)
  t.end()
})

test('slots count for the version of their live owners', (t) => {
  const { byVersion, total } = slotsOf(view({ default: 'aabx', staff: 'b' }), 'all')
  t.same(
    [...byVersion],
    [
      ['v1', 2],
      ['v2', 2],
    ],
  )
  t.equal(total, 5)
  t.end()
})

test('only a worker that was live and is not there any more has ended without a word', (t) => {
  const departures = new Departures()
  t.same(departures.look([worker('a', 'v1'), worker('b', 'v2', 'draining'), worker('c', 'v2')], []), [])
  t.same(departures.look([worker('a', 'v1')], []), [{ id: 'c', version: 'v2', how: 'without a word' }])
  t.same(departures.look([worker('a', 'v1', 'draining')], []), [])
  t.same(departures.look([], []), [])
  t.end()
})

test('one that was starting and is not there any more has ended, one that is up has not', (t) => {
  const departures = new Departures()
  t.same(departures.look([], [worker('a', 'v2', 'starting'), worker('b', 'v2', 'starting')]), [])
  t.same(departures.look([worker('a', 'v2')], []), [
    { id: 'b', version: 'v2', how: 'without a word while it was starting' },
  ])
  t.same(departures.look([worker('a', 'v2')], []), [])
  t.end()
})

test('one that says that it cannot start has ended once, whether or not it was seen before', (t) => {
  const departures = new Departures()
  const left = (id: string) =>
    ({ type: 'left', role: 'worker', id, failed: { version: 'v2', why: 'SyntaxError: no' } }) as const
  departures.look([], [worker('a', 'v2', 'starting')])
  departures.heard(left('a'))
  departures.heard(left('b'))
  departures.heard({ type: 'left', role: 'worker', id: 'c' })
  const how = 'because it could not start: SyntaxError: no'
  t.same(departures.look([], []), [
    { id: 'a', version: 'v2', how },
    { id: 'b', version: 'v2', how },
  ])
  t.same(departures.look([], []), [])
  departures.heard(left('d'))
  departures.forget()
  t.same(departures.look([], []), [], 'another controller has counted it')
  t.end()
})

test('whoever starts workers is told which versions have to have some', (t) => {
  const { leases, workers } = view({ default: 'aab' })
  t.same(versionViews(new Set(['v1', 'v3']), workers, leases), [
    { version: 'v1', wanted: true, workers: 1, slots: 2 },
    { version: 'v2', wanted: false, workers: 1, slots: 1 },
    { version: 'v3', wanted: true, workers: 0, slots: 0 },
  ])
  t.end()
})
