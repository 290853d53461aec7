// Proves when a version is drained: when none of the workers that it had owns a slot or has anything on its way; and what
// is remembered of drains.
import t from 'tap'
import { Drains, drainsKept } from '../../../controller/placement/drains.ts'
import type { WorkerBeat } from '../../../protocol/records/heartbeat.ts'
import type { Lease } from '../../../store/store.ts'
import { workerBeat } from '../beats.ts'

const worker = (id: string, given: Partial<WorkerBeat> = {}) => workerBeat(id, 'v1', { state: 'draining', ...given })
const lease = (slot: string, owner: string) => ({ slot, owner }) as unknown as Lease
const owned = { slot: 'default/0' as const, epoch: 1, incarnation: 0, nextOffset: 0, waitingMs: 0 }

t.test('a version has what the workers have that it had when it was asked', async (t) => {
  const drains = new Drains()
  t.equal(drains.workersOf('v1'), undefined)
  drains.startVersion('v1', ['a', 'b'])
  const workers = [worker('a', { slots: [owned], inFlight: 2 }), worker('b', { outbox: 3 }), worker('later')]
  const leases = [lease('default/0', 'a'), lease('default/1', 'b'), lease('default/2', 'later')]
  t.same(drains.remaining(workers, leases).get('v1'), { workers: 2, slots: 2, in_flight: 2, outbox: 3 })
})

t.test('it is over when they are drained or gone, and own nothing', async (t) => {
  const drains = new Drains()
  drains.startVersion('v1', ['a', 'b'])
  const nothing = { workers: 0, slots: 0, in_flight: 0, outbox: 0 }
  t.same(drains.remaining([worker('a', { state: 'drained' })], [lease('default/0', 'b')]).get('v1'), nothing)
})

t.test('a worker that is asked again keeps the pauses of its slots, and one that was not has none', async (t) => {
  const drains = new Drains()
  drains.pause('a', 1)
  drains.startVersion('v1', ['a'])
  drains.pause('a', 12)
  drains.pause(null, 13)
  drains.start('a')
  t.same(drains.pausesOf('a'), [12])
  t.equal(drains.pausesOf('b'), undefined)
})

t.test('so many drains are remembered', async (t) => {
  const drains = new Drains()
  for (let index = 0; index <= drainsKept.versions; index += 1) drains.startVersion(`v${index}`, [])
  t.equal(drains.workersOf('v0'), undefined)
  t.ok(drains.workersOf('v1'))
  for (let index = 0; index <= drainsKept.workers; index += 1) drains.start(`w${index}`)
  t.equal(drains.pausesOf('w0'), undefined)
  t.same(drains.pausesOf('w1'), [])
})
