// Proves when a slot counts as lost: its lease names a live worker whose heartbeats leave it out for long enough; never
// while it is reported, claimed, just acquired, or owned by nobody who lives.
import t from 'tap'
import { LostSlots } from '../../../controller/placement/lost-slots.ts'
import type { WorkerBeat } from '../../../protocol/records/heartbeat.ts'
import type { SlotId } from '../../../protocol/slot.ts'
import type { Lease } from '../../../store/store.ts'

const intervalMs = 100
const slot: SlotId = 'default/0'
const lease = (owner: string | null, epoch = 1) => ({ slot, owner, epoch }) as Lease
const worker = (given: Partial<WorkerBeat>) => ({ id: 'a', slots: [], claimed: [], ...given }) as unknown as WorkerBeat
const reported = { slots: [{ slot, epoch: 1, incarnation: 0, nextOffset: 0, waitingMs: 0 }] }

t.test('left out for longer than three heartbeats', async (t) => {
  const lost = new LostSlots(intervalMs)
  t.notOk(lost.isWatching)
  t.same(lost.look([lease('a')], [worker({})], 0), new Set())
  t.ok(lost.isWatching)
  t.same(lost.look([lease('a')], [worker({})], 300), new Set())
  t.same(lost.look([lease('a')], [worker({})], 301), new Set([slot]))
})

t.test('reported meanwhile, the time begins anew', async (t) => {
  const lost = new LostSlots(intervalMs)
  lost.look([lease('a')], [worker({})], 0)
  lost.look([lease('a')], [worker(reported)], 250)
  t.notOk(lost.isWatching)
  lost.look([lease('a')], [worker({})], 300)
  t.same(lost.look([lease('a')], [worker({})], 600), new Set())
})

t.test('acquired anew, the time begins anew', async (t) => {
  const lost = new LostSlots(intervalMs)
  lost.look([lease('a', 1)], [worker({})], 0)
  t.same(lost.look([lease('a', 2)], [worker({})], 400), new Set())
})

t.test('others have it, or nobody', async (t) => {
  const lost = new LostSlots(intervalMs)
  for (const now of [0, 1_000]) {
    t.same(lost.look([lease('a')], [worker({ claimed: [slot] })], now), new Set(), 'halted or being taken')
    t.same(lost.look([lease('b')], [worker({})], now), new Set(), 'the owner is not alive')
    t.same(lost.look([lease(null)], [worker({})], now), new Set(), 'released')
  }
})
