// Proves what a commit carries of the outbox: rows leave it only when every lane has them; a full backlog is turned
// into a resync by a commit that moves on, never by one that does not, whose rows would meet those of the batch before.
import pino from 'pino'
import t from 'tap'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { systemClock } from '../../platform/clock.ts'
import { systemRandom } from '../../platform/random.ts'
import { decodeInbox } from '../../protocol/event-record.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { clusterTopics } from '../../protocol/topics.ts'
import type { OutboxRow } from '../../store/store.ts'
import { until } from '../delivery/until.ts'
import { Gate } from '../delivery/gate.ts'
import { emptyCommit } from '../../worker/commit.ts'
import { Lanes } from '../../worker/lanes.ts'
import { Outbox } from '../../worker/outbox.ts'

const name = (partition: number) =>
  ['p-0', 'p-1', 'p-2', 'p-3', 'p-4', 'p-5'].find((id) => partitionOf(id, 2) === partition)!
const [fast, slow] = [name(0), name(1)]
const row = (batchEnd: number, part: number, inboxes: string[]): OutboxRow => ({
  batchEnd,
  part,
  inboxes,
  body: Buffer.alloc(600),
})

function setUp() {
  const data = new MemoryLogData()
  data.createTopics(clusterTopics(1, 2))
  const gate = new Gate().shut()
  const log = new MemoryLog(data, { beforeAppend: (_topic, partition) => (partition === 1 ? gate.pass() : undefined) })
  const env = {
    clock: systemClock,
    random: systemRandom,
    log,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
  }
  const lanes = new Lanes(env, 2, 1_000)
  t.teardown(() => lanes.stop())
  return { gate, lanes, outbox: new Outbox('default/0', 'token', lanes, () => {}) }
}

const commitTo = (next: number) => ({ ...emptyCommit('default/0', 'token', 10, null), next })

t.test('rows are done when all their lanes have them', async (t) => {
  const { gate, outbox } = setUp()
  outbox.emit([row(10, 0, [fast]), row(10, 1, [fast, slow]), row(10, 2, [])])
  await until('the fast ones are there', () => outbox.hasDone)
  const commit = commitTo(11)
  await until('both', () => {
    outbox.prepare(commit)
    return commit.outboxDone.length === 2
  })
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
  outbox.prepare(commit)
  t.same(commit.outboxDone, [{ batchEnd: 10, part: 1 }])
})

t.test('a full backlog', async (t) => {
  const { gate, outbox } = setUp()
  outbox.emit([row(8, 0, [slow])])
  await until('the lane is held', () => gate.held === 1)
  outbox.emit([row(9, 0, [slow]), row(10, 0, [fast, slow]), row(10, 1, [slow])])

  const idle = commitTo(10)
  outbox.prepare(idle)
  t.same(idle.outbox, [], 'a commit that stays where it is adds no row')
  t.same(idle.outboxNarrowed, [])

  const commit = { ...commitTo(11), outbox: [row(11, 0, [fast])] }
  outbox.prepare(commit)
  t.same(
    commit.outbox.map(({ batchEnd, part, inboxes }) => ({ batchEnd, part, inboxes })),
    [
      { batchEnd: 11, part: 0, inboxes: [slow] },
      { batchEnd: 11, part: 1, inboxes: [fast] },
    ],
  )
  t.match(decodeInbox(commit.outbox[0]!.body, slow), { type: 'resync', slot: 'default/0', to: [slow] })
  t.same(commit.outboxNarrowed, [
    { batchEnd: 9, part: 0, inboxes: [] },
    { batchEnd: 10, part: 0, inboxes: [fast] },
    { batchEnd: 10, part: 1, inboxes: [] },
  ])
  outbox.settle(commit)
  outbox.emit(commit.outbox)
  gate.open()
  await until('all are there', () => outbox.isAcknowledged)
})
