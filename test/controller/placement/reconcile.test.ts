// Proves what a controller does next: whom it waits for and whom it fences, how many slots move at a time, when a move
// is given up, and which version serves.
import t from 'tap'
import { moveTimeoutMs, reconcile as plan } from '../../../controller/placement/reconcile.ts'
import type { ReconcileInput, PendingMove } from '../../../controller/placement/reconcile.ts'
import type { WorkerBeat } from '../../../protocol/records/heartbeat.ts'
import type { SlotId } from '../../../protocol/slot.ts'
import { slotId } from '../../../protocol/slot.ts'
import type { Lease } from '../../../store/store.ts'
import { workerBeat } from '../beats.ts'

const worker = (id: string, state: WorkerBeat['state'] = 'live', version = 'v1') => workerBeat(id, version, { state })

const lease = (slot: SlotId, owner: string | null, epoch = 1): Lease => ({
  slot,
  owner,
  epoch,
  token: 't',
  version: 'v1',
  nextOffset: 0,
  incarnation: 0,
  fingerprint: null,
  trying: null,
  attempts: 0,
  killed: null,
  origin: 'o',
})

const now = 100_000
const reconcile = (input: ReconcileInput, parallelMax: number) => plan(input, { parallelMax, patienceMs: 0 })
const view = (given: Partial<ReconcileInput>): ReconcileInput => ({
  leases: [],
  workers: [],
  stuck: new Set(),
  ejected: new Set(),
  unfit: new Map(),
  lost: new Set(),
  serving: 'v1',
  traffic: [],
  rates: new Map(),
  pending: new Map(),
  now,
  ...given,
})
const move = (given: Partial<PendingMove>): PendingMove => ({
  slot: 'default/0' as const,
  epoch: 1,
  from: 'a',
  to: 'b',
  since: now,
  ...given,
})
const pending = (...moves: PendingMove[]) => new Map(moves.map((each) => [each.slot, each]))

t.test('slots of a dead owner, and of none, are taken at once', async (t) => {
  const plan = reconcile(
    view({ leases: [lease('default/0', 'dead'), lease('default/1', null)], workers: [worker('a')] }),
    1,
  )
  t.match(plan.moves, [
    { slot: 'default/0' as const, from: null, to: 'a', epoch: 1 },
    { slot: 'default/1' as const, from: null, to: 'a' },
  ])
})

t.test('a live owner is waited for, a few slots at a time', async (t) => {
  const leases = [0, 1, 2, 3, 4, 5].map((partition) => lease(slotId('default', partition), 'a'))
  const plan = reconcile(view({ leases, workers: [worker('a'), worker('b')] }), 2)
  t.equal(plan.moves.length, 2)
  t.ok(plan.moves.every(({ from, to }) => from === 'a' && to === 'b'))
  const after = reconcile(view({ leases, workers: [worker('a'), worker('b')], pending: pending(...plan.moves) }), 2)
  t.same(after.moves, [], 'what is on its way counts')
  t.same(after.finished, [])
})

t.test('a stuck owner is not waited for, and gets nothing', async (t) => {
  const workers = [worker('a'), worker('b')]
  const plan = reconcile(
    view({ leases: [lease('default/0', 'a'), lease('default/1', 'b')], workers, stuck: new Set(['a']) }),
    4,
  )
  t.match(plan.moves, [{ slot: 'default/0' as const, from: null, to: 'b' }])
  t.equal(plan.moves.length, 1)
})

t.test('a draining owner', async (t) => {
  const leases = [lease('default/0', 'a'), lease('default/1', 'a')]
  const others = reconcile(view({ leases, workers: [worker('a', 'draining'), worker('b')] }), 4)
  t.same(
    others.moves.map(({ from, to }) => [from, to]),
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  )
  const alone = reconcile(view({ leases, workers: [worker('a', 'draining')] }), 4)
  t.same(
    alone.moves.map(({ from, to }) => [from, to]),
    [
      ['a', null],
      ['a', null],
    ],
    'lets go all the same',
  )
  const none = reconcile(view({ leases, workers: [] }), 4)
  t.same(none.moves, [])
})

t.test('a move is over', async (t) => {
  const workers = [worker('a'), worker('b')]
  const over = (lease: Lease, pendingMove: PendingMove, among = workers) =>
    reconcile(view({ leases: [lease], workers: among, pending: pending(pendingMove) }), 4).finished.length === 1
  t.notOk(over(lease('default/0', 'a'), move({})), 'under way')
  t.ok(over(lease('default/0', 'b', 2), move({})), 'when it came about')
  t.ok(over(lease('default/0', 'a'), move({ since: now - moveTimeoutMs - 1 })), 'when it takes too long')
  t.ok(over(lease('default/0', 'a'), move({}), [worker('a')]), 'when the successor died')
  t.ok(over(lease('default/0', 'a'), move({}), [worker('a'), worker('b', 'draining')]), 'when the successor leaves')
  t.ok(over(lease('default/0', 'a'), move({}), [worker('b')]), 'when the owner died')
  t.notOk(over(lease('default/0', 'dead'), move({ from: null })), 'a fencing move waits for nobody')
  t.ok(over(lease('default/0', 'b'), move({ from: null })), 'when its owner found what was lost')
  t.ok(over(lease('default/0', null), move({ to: null })), 'when it was let go')
  t.notOk(over(lease('default/0', 'a'), move({ to: null })))
  t.ok(over(lease('default/0', 'dead'), move({ from: 'dead', to: null })), 'when the owner died instead of letting go')
})

t.test('a hand-off is given the time of its warm-up and of its owner, one that waits for nobody is not', async (t) => {
  const patienceMs = 30_000
  const over = (given: Partial<PendingMove>, ageMs: number) => {
    const input = view({
      leases: [lease('default/0', 'a')],
      workers: [worker('a'), worker('b')],
      pending: pending(move({ ...given, since: now - ageMs })),
    })
    return plan(input, { parallelMax: 4, patienceMs }).finished.length === 1
  }
  t.notOk(over({}, moveTimeoutMs + patienceMs))
  t.ok(over({}, moveTimeoutMs + patienceMs + 1))
  t.ok(over({ from: null }, moveTimeoutMs + 1))
  t.ok(over({ to: null }, moveTimeoutMs + 1))
})

t.test('a move whose owner turns out not to have the slot is planned anew, without waiting', async (t) => {
  const leases = [lease('default/0', 'a')]
  const workers = [worker('a'), worker('b')]
  const lost = new Set(['default/0' as const])
  const again = reconcile(view({ leases, workers, lost, pending: pending(move({})) }), 4)
  t.same(again.finished, ['default/0'])
  t.match(again.moves, [{ slot: 'default/0' as const, from: null, epoch: 1 }])
  const fencing = pending(move({ from: null }))
  t.same(reconcile(view({ leases, workers, lost, pending: fencing }), 4).finished, [], 'it waits for nobody')
})

t.test('a move whose owner died is planned anew, without waiting', async (t) => {
  const plan = reconcile(
    view({ leases: [lease('default/0', 'a')], workers: [worker('b')], pending: pending(move({})) }),
    4,
  )
  t.same(plan.finished, ['default/0'])
  t.match(plan.moves, [{ slot: 'default/0' as const, from: null, to: 'b', epoch: 1 }])
})

t.test('which version serves', async (t) => {
  const leases = [lease('default/0', null)]
  const serving = (serving: string | null, ...workers: WorkerBeat[]) => reconcile(view({ leases, workers, serving }), 4)
  t.equal(serving(null, worker('a', 'live', 'v2')).serving, 'v2', 'the first one')
  t.equal(
    serving('v1', worker('a', 'live', 'v2'), worker('b', 'live', 'v1')).serving,
    null,
    'no change while one lives',
  )
  t.match(serving('v1', worker('a', 'live', 'v2'), worker('b', 'live', 'v1')).moves, [{ to: 'b' }])
  t.equal(serving('v1', worker('a', 'live', 'v2'), worker('b', 'draining', 'v1')).serving, 'v2')
  t.equal(serving('v1').serving, null, 'nobody is there')
})

t.test("whoever hands over is given its patience, and a slot that was let go only its successor's time", async (t) => {
  const patienceMs = 30_000
  const at = (owner: string | null, under: PendingMove, ms: number) =>
    plan(
      view({
        leases: [lease('default/0', owner)],
        workers: [worker('a', 'draining'), worker('b')],
        pending: pending(under),
        now: now + ms,
      }),
      { parallelMax: 1, patienceMs },
    )
  t.same(at('a', move({}), moveTimeoutMs + patienceMs).finished, [])
  const noticed = at(null, move({}), 20_000)
  t.same(noticed.finished, [], 'its successor may be about to take it')
  const [letGo] = noticed.letGo
  t.same(at(null, letGo!, 20_000 + moveTimeoutMs).finished, [])
  const anew = at(null, letGo!, 20_001 + moveTimeoutMs)
  t.same(anew.letGo, [])
  t.match(anew, { finished: ['default/0'], moves: [{ slot: 'default/0', from: null, to: 'b' }] })
})
