// Proves what a commit carries of the outbox: rows leave it only when every lane has them, and some together; a full backlog is turned
// into a resync by a commit that moves on, never by one that does not, whose rows would meet those of the batch before; a
// row that the log can never take, left by an older version, becomes a resync at its place. A large answer goes in parts.
import t from 'tap'
import { LogError } from '../../../log/errors.ts'
import type { LogEntry } from '../../../log/log.ts'
import { MemoryLog, MemoryLogData } from '../../../log/memory/memory-log.ts'
import { errors } from '../../../protocol/client/codes.ts'
import { decodeInbox } from '../../../protocol/records/event.ts'
import type { AnswerRecord } from '../../../protocol/records/event.ts'
import { partitionOf } from '../../../protocol/partition.ts'
import { answerPartBytesMax, appendBytesMax, recordBytesMax } from '../../../protocol/records/sizes.ts'
import { inboxTopic } from '../../../protocol/records/topics.ts'
import { clusterTopics } from '../../../cluster/topics.ts'
import type { OutboxRow, Commit } from '../../../store/store.ts'
import { until } from '../../support/until.ts'
import { Gate } from '../../support/gate.ts'
import { tidyingCommit } from '../../../worker/slot/commit.ts'
import { Lanes } from '../../../worker/emit/lanes.ts'
import { Outbox, outboxChangesMax, outboxDoneMin } from '../../../worker/slot/outbox.ts'
import { testEnv } from '../../harness/env.ts'

const name = (partition: number) =>
  ['p-0', 'p-1', 'p-2', 'p-3', 'p-4', 'p-5'].find((id) => partitionOf(id, 2) === partition)!
const [fast, slow] = [name(0), name(1)]
const row = (batchEnd: number, part: number, inboxes: string[]): OutboxRow => ({
  batchEnd,
  part,
  inboxes,
  body: Buffer.alloc(600),
})

/** The answer of a read, but for its number and body. */
const answerTo = (to: string) => {
  return { type: 'answer' as const, slot: 'default/0' as const, to, worker: 'w', version: 'v', error: null, part: null }
}

function setUp(refuse: (entries: LogEntry[]) => void = () => {}) {
  const data = new MemoryLogData()
  data.createTopics(clusterTopics(1, 2))
  const gate = new Gate().shut()
  const log = new MemoryLog(data, {
    beforeAppend: (_topic, partition, entries) => {
      refuse(entries)
      return partition === 1 ? gate.pass() : undefined
    },
  })
  const env = testEnv({ log })
  const lanes = new Lanes(env, 2, 1_000)
  t.teardown(() => lanes.stop())
  return { data, gate, lanes, outbox: new Outbox('default/0', 'token', lanes, () => {}) }
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
  outbox.emit([row(10, 0, [fast]), row(10, 1, [fast, slow]), row(10, 2, [])])
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
    Array.from({ length: few }, (_, part) => row(10, part, [fast, slow])),
  )
  t.equal(carried(11), 0, 'not yet')
  await done(11, [row(11, 0, [fast])])
  t.equal(carried(12), few + 1)
  t.equal(outbox.size, 0)
  await done(12, [row(12, 0, [slow])])
  t.equal(carried(13), 0, 'from the start again')
  await done(13, [{ ...row(13, 0, [fast]), body: Buffer.alloc(outboxDoneMin.bytes) }])
  t.equal(carried(14), 2)
  await done(14, [row(14, 0, [fast])])
  t.equal(outbox.done.length, 1, 'one that stays where it is is made for them')
})

t.test('a row that the log can never take', async (t) => {
  const { data, outbox, gate } = setUp()
  gate.open()
  const body = Buffer.alloc(appendBytesMax)
  outbox.emit([row(10, 0, [fast]), { ...row(10, 1, [fast, slow]), body }, row(10, 2, [fast])])
  await until('nothing is open', () => outbox.isAcknowledged)
  const [ofFast, ofSlow] = [data.read(inboxTopic, 0, 0), data.read(inboxTopic, 1, 0)]
  t.equal(ofFast.length, 3, 'its neighbours are there')
  t.same(
    decodeInbox(ofFast[1]!.value, fast),
    { type: 'resync', slot: 'default/0' as const, to: [fast] },
    'at its place',
  )
  t.same(decodeInbox(ofSlow[0]!.value, slow), { type: 'resync', slot: 'default/0' as const, to: [slow] })
  t.equal(outbox.done.length, 3, 'and it leaves the outbox')
})

t.test('a log that takes not even the resync', async (t) => {
  const { outbox } = setUp(() => {
    throw new LogError('too_large', 'never')
  })
  outbox.emit([row(10, 0, [fast]), row(10, 1, [fast])])
  await until('nothing is open', () => outbox.isAcknowledged)
  t.equal(outbox.size, 2)
})

t.test('an answer that is too large, or that the log can never take', async (t) => {
  const { data, lanes, gate } = setUp()
  gate.open()
  const answer = answerTo(fast)
  lanes.answer({ ...answer, n: 1, body: Buffer.alloc(recordBytesMax) }, false, () => {})
  lanes.answer({ ...answer, n: 2, body: Buffer.alloc(recordBytesMax - 1_000) }, false, () => {})
  await until('both are there', () => data.range(inboxTopic, 0).next === 2)
  const answers = data.read(inboxTopic, 0, 0).map(({ value }) => decodeInbox(value, fast) as AnswerRecord)
  t.same(
    answers.map(({ n, error, body }) => [n, error?.code, body.length]),
    [
      [1, errors.limitExceeded.code, 0],
      [2, undefined, recordBytesMax - 1_000],
    ],
  )

  const narrow = setUp((entries) => {
    if (entries.some(({ value }) => value.length > 500)) throw new LogError('too_large', 'narrow')
  })
  narrow.gate.open()
  narrow.lanes.answer({ ...answer, n: 3, body: Buffer.alloc(600) }, false, () => {})
  await until('it is there', () => narrow.data.range(inboxTopic, 0).next === 1)
  t.match(decodeInbox(narrow.data.read(inboxTopic, 0, 0)[0]!.value, fast), {
    n: 3,
    error: { code: errors.limitExceeded.code },
  })
})

t.test('a large answer goes in parts, in order, to whoever takes parts', async (t) => {
  const { data, lanes, gate, outbox } = setUp()
  const body = Buffer.from(Array.from({ length: 2 * answerPartBytesMax + 10 }, (_, at) => at % 251))
  const answer = answerTo(slow)
  let dones = 0
  lanes.answer({ ...answer, n: 1, body }, true, () => dones++)
  await until('the first is on its way', () => gate.held === 1)
  outbox.emit([row(10, 0, [slow])])
  gate.open()
  await until('the log has all', () => dones === 1)
  const values = data.read(inboxTopic, 1, 0).map(({ value }) => value)
  t.equal(values.length, 4)
  t.equal(values[1]!.length, 600, 'an event goes between')
  const parts = [values[0]!, ...values.slice(2)].map((value) => decodeInbox(value, slow) as AnswerRecord)
  t.same(
    parts.map(({ part }) => part),
    [0, 1, 2].map((index) => ({ from: index * answerPartBytesMax, of: body.length })),
  )
  t.ok(Buffer.concat(parts.map((part) => part.body)).equals(body))

  lanes.answer({ ...answer, n: 2, body }, false, () => dones++)
  await until('it is there too', () => dones === 2)
  const [whole] = data.read(inboxTopic, 1, 4)
  const { n, part, body: all } = decodeInbox(whole!.value, slow) as AnswerRecord
  t.same([n, part, all.length], [2, null, body.length])

  lanes.answer({ ...answer, n: 3, body: Buffer.alloc(recordBytesMax) }, true, () => dones++)
  await until('the last', () => dones === 3)
  t.match(decodeInbox(data.read(inboxTopic, 1, 5)[0]!.value, slow), {
    n: 3,
    part: null,
    error: { code: errors.limitExceeded.code },
  })
})

t.test('a backlog of more rows than one commit can change', async (t) => {
  const { gate, outbox } = setUp()
  outbox.emit([row(8, 0, [slow])])
  await until('the lane is held', () => gate.held === 1)
  const rows = 2 * outboxChangesMax + 10
  outbox.emit(Array.from({ length: rows }, (_, part) => row(9, part, [slow])))
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
  outbox.emit([row(8, 0, [slow])])
  await until('the lane is held', () => gate.held === 1)
  outbox.emit([row(9, 0, [slow]), row(10, 0, [fast, slow]), row(10, 1, [slow])])

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
