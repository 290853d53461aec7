// Proves what a commit carries of the outbox: rows leave it only when every lane has them, and some together; a full backlog
// is turned into a resync by a commit that moves on, never by one that does not, whose rows would meet those of the batch
// before.
import t from 'tap'
import type { OutboxRow, Commit } from '../../../store/store.ts'
import { tidyingCommit } from '../../../worker/slot/commit.ts'
import { Outbox, outboxChangesMax, outboxDoneMin } from '../../../worker/slot/outbox.ts'
import { until } from '../../support/until.ts'
import { fast, rowOf, slow, twoLanes } from '../two-lanes.ts'

function setUp() {
  const { gate, lanes } = twoLanes(t)
  return { gate, outbox: new Outbox('default/0', 'token', lanes, () => {}) }
}

/** The commit of a batch that ends at `next`, as far as it concerns the outbox. */
function commitTo(next: number, outbox: Outbox): Commit {
  const { done, narrowed } = outbox.changes()
  return { ...tidying(done), next, outboxNarrowed: narrowed }
}
const tidying = (done: Commit['outboxDone']) =>
  tidyingCommit({ slot: 'default/0', token: 'token', nextOffset: 10, fingerprint: null }, done)

t.test('rows are done when all their lanes have them', async (t) => {
  const { gate, outbox } = setUp()
  outbox.emit([rowOf(10, 0, [fast]), rowOf(10, 1, [fast, slow]), rowOf(10, 2, [])])
  await until('the fast ones are there', () => outbox.hasDone)
  await until('both', () => outbox.done.length === 2)
  const commit = tidying(outbox.done)
  t.same(commit.outboxDone, [
    { batchEnd: 10, part: 2 },
    { batchEnd: 10, part: 0 },
  ])
  t.equal(outbox.size, 3)
  outbox.settle(commit)
  t.equal(outbox.size, 1)
  t.notOk(outbox.isAcknowledged)
  gate.open()
  await until('the slow one is there too', () => outbox.isAcknowledged)
  t.same(outbox.done, [{ batchEnd: 10, part: 1 }])
})

t.test('a commit that moves on takes rows along once they are enough, by number or by bytes', async (t) => {
  const { gate, outbox } = setUp()
  gate.open()
  const carried = (next: number): number => {
    const commit = commitTo(next, outbox)
    outbox.settle(commit)
    return commit.outboxDone.length
  }
  const done = async (batchEnd: number, rows: OutboxRow[]): Promise<void> => {
    outbox.emit(rows)
    await until(`the rows of ${batchEnd} are there`, () => outbox.isAcknowledged)
  }
  const few = outboxDoneMin.rows - 1
  await done(
    10,
    Array.from({ length: few }, (_, part) => rowOf(10, part, [fast, slow])),
  )
  t.equal(carried(11), 0, 'not yet')
  await done(11, [rowOf(11, 0, [fast])])
  t.equal(carried(12), few + 1)
  t.equal(outbox.size, 0)
  await done(12, [rowOf(12, 0, [slow])])
  t.equal(carried(13), 0, 'from the start again')
  await done(13, [{ ...rowOf(13, 0, [fast]), body: Buffer.alloc(outboxDoneMin.bytes) }])
  t.equal(carried(14), 2)
  await done(14, [rowOf(14, 0, [fast])])
  t.equal(outbox.done.length, 1, 'one that stays where it is is made for them')
})

t.test('a backlog of more rows than one commit can change', async (t) => {
  const { gate, outbox } = setUp()
  outbox.emit([rowOf(8, 0, [slow])])
  await until('the lane is held', () => gate.held === 1)
  const rows = 2 * outboxChangesMax + 10
  outbox.emit(Array.from({ length: rows }, (_, part) => rowOf(9, part, [slow])))
  const changed = { narrowed: 0, done: 0, resyncs: 0 }
  for (let next = 11; next <= 16; next++) {
    // The last one stays where it is, and takes what is left.
    const commit = next === 16 ? tidying(outbox.done) : commitTo(next, outbox)
    if (outbox.changes().resync.length > 0) changed.resyncs++
    t.ok(commit.outboxNarrowed.length <= outboxChangesMax && commit.outboxDone.length <= outboxChangesMax)
    outbox.settle(commit)
    changed.narrowed += commit.outboxNarrowed.length
    changed.done += commit.outboxDone.length
  }
  t.equal(changed.done, rows)
  t.ok(changed.narrowed <= rows, 'what is removed is not narrowed too')
  t.equal(changed.resyncs, 1, 'told once')
  gate.open()
  await until('all are there', () => outbox.isAcknowledged)
})

t.test('a full backlog', async (t) => {
  const { gate, outbox } = setUp()
  outbox.emit([rowOf(8, 0, [slow])])
  await until('the lane is held', () => gate.held === 1)
  outbox.emit([rowOf(9, 0, [slow]), rowOf(10, 0, [fast, slow]), rowOf(10, 1, [slow])])

  t.same(outbox.changes().resync, [slow], 'it is to be told')
  const commit = commitTo(11, outbox)
  t.same(commit.outboxNarrowed, [
    { batchEnd: 9, part: 0, inboxes: [] },
    { batchEnd: 10, part: 0, inboxes: [fast] },
    { batchEnd: 10, part: 1, inboxes: [] },
  ])
  outbox.settle(commit)
  t.same(outbox.changes(), { done: [], narrowed: [], resync: [] }, 'that is done')
  gate.open()
  await until('all are there', () => outbox.isAcknowledged)
})
