// Proves when a version is drained: when none of the workers that it had owns a slot or has anything on its way.
import t from 'tap'
import { VersionDrains, versionDrainsKept } from '../../../controller/placement/version-drains.ts'
import type { WorkerBeat } from '../../../protocol/records/heartbeat.ts'
import type { Lease } from '../../../store/store.ts'

const worker = (id: string, given: Partial<WorkerBeat> = {}): WorkerBeat => ({
  type: 'heartbeat',
  role: 'worker',
  pid: 1,
  internal: { host: '127.0.0.1', port: 1 },
  beat: 1,
  id,
  version: 'v1',
  state: 'draining',
  slots: [],
  claimed: [],
  inFlight: 0,
  outbox: 0,
  ...given,
})
const lease = (slot: string, owner: string) => ({ slot, owner }) as unknown as Lease
const owned = { slot: 'default/0' as const, epoch: 1, incarnation: 0, nextOffset: 0, waitingMs: 0 }

t.test('a version has what the workers have that it had when it was asked', async (t) => {
  const drains = new VersionDrains()
  t.equal(drains.workersOf('v1'), undefined)
  drains.start('v1', ['a', 'b'])
  const workers = [worker('a', { slots: [owned], inFlight: 2 }), worker('b', { outbox: 3 }), worker('later')]
  const leases = [lease('default/0', 'a'), lease('default/1', 'b'), lease('default/2', 'later')]
  t.same(drains.remaining(workers, leases).get('v1'), { workers: 2, slots: 2, in_flight: 2, outbox: 3 })
})

t.test('it is over when they are drained or gone, and own nothing', async (t) => {
  const drains = new VersionDrains()
  drains.start('v1', ['a', 'b'])
  const nothing = { workers: 0, slots: 0, in_flight: 0, outbox: 0 }
  t.same(drains.remaining([worker('a', { state: 'drained' })], [lease('default/0', 'b')]).get('v1'), nothing)
})

t.test('so many drains are remembered', async (t) => {
  const drains = new VersionDrains()
  for (let index = 0; index <= versionDrainsKept; index += 1) drains.start(`v${index}`, [])
  t.equal(drains.workersOf('v0'), undefined)
  t.ok(drains.workersOf('v1'))
})
