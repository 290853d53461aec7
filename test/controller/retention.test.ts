// Proves that the log keeps what somebody may still need and nothing older: commands from the owner's last record on,
// inboxes from the slowest proxy's place on, all of it for a retention time; and that it stays bounded under steady
// load, however long that lasts.
import pino from 'pino'
import t from 'tap'
import { loadConfig } from '../../config/load.ts'
import { Retention, samplesPerRetention } from '../../controller/retention.ts'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { systemRandom } from '../../platform/random.ts'
import { partitionOf } from '../../protocol/partition.ts'
import type { ProxyBeat } from '../../protocol/status-record.ts'
import { clusterTopics, commandTopic, defaultGroup, inboxTopic } from '../../protocol/topics.ts'
import type { Lease } from '../../store/store.ts'
import type { StoreEnv } from '../../platform/env.ts'
import { ManualClock } from '../delivery/manual-clock.ts'

const commands = commandTopic(defaultGroup)
const retentionMs = 60_000
const stopped = () => false
const name = (partition: number) => ['p-0', 'p-1', 'p-2', 'p-3'].find((id) => partitionOf(id, 2) === partition)!
const proxy = (partition: number, inboxOffset: number) => ({ id: name(partition), inboxOffset }) as ProxyBeat
const lease = (nextOffset: number) => ({ slot: 'default/0', nextOffset }) as Lease

function setUp() {
  const data = new MemoryLogData()
  data.createTopics(clusterTopics(1, 2))
  const clock = new ManualClock()
  const { config } = loadConfig({
    env: {},
    cwd: import.meta.dirname,
    flags: { 'topics.inbox_partitions': '2', 'topics.retention': '1m' },
  })
  const log = new MemoryLog(data)
  const env = { clock, log, random: systemRandom, logger: pino({ level: 'silent' }), metrics: createMetrics() }
  const append = (topic: string, partition: number, count: number) =>
    data.append(
      topic,
      partition,
      Array.from({ length: count }, () => ({ key: null, value: Buffer.from('x') })),
    )
  return { data, clock, append, retention: new Retention(env as unknown as StoreEnv, config) }
}

t.test('what everybody has passed goes, a retention time later', async (t) => {
  const { data, clock, append, retention } = setUp()
  append(commands, 0, 100)
  for (const partition of [0, 1]) append(inboxTopic, partition, 100)
  // Two proxies share partition 0; nobody reads partition 1.
  const slow = proxy(0, 30)
  await retention.look([lease(50)], [proxy(0, 80), slow], stopped)
  const oldest = () => [commands, inboxTopic].map((topic) => data.range(topic, 0).oldest)
  t.same(oldest(), [0, 0], 'nothing yet')
  clock.advance(retentionMs - 1)
  await retention.look([lease(90)], [proxy(0, 100), proxy(0, 100)], stopped)
  t.same(oldest(), [0, 0], 'nor a moment before')
  clock.advance(1)
  await retention.look([lease(90)], [proxy(0, 100)], stopped)
  t.same(oldest(), [49, 30], 'as far as the last record handled then, and the slowest proxy')
  t.equal(data.range(inboxTopic, 1).oldest, 100)
})

t.test('a slot that stands still keeps its records', async (t) => {
  const { data, clock, append, retention } = setUp()
  for (let round = 0; round < 50; round++) {
    append(commands, 0, 10)
    await retention.look([lease(0)], [], stopped)
    clock.advance(retention.everyMs)
  }
  t.equal(data.range(commands, 0).oldest, 0)
})

t.test('under steady load the log stays bounded', async (t) => {
  const { data, clock, append, retention } = setUp()
  const perRound = 100
  for (let round = 1; round <= 500; round++) {
    append(commands, 0, perRound)
    append(inboxTopic, 0, perRound)
    await retention.look([lease(round * perRound)], [proxy(0, round * perRound)], stopped)
    clock.advance(retention.everyMs)
    for (const topic of [commands, inboxTopic]) {
      const { oldest, next } = data.range(topic, 0)
      if (next - oldest > perRound * (samplesPerRetention + 2)) t.fail(`${topic} holds ${next - oldest} records`)
    }
  }
  t.ok(data.range(commands, 0).oldest > 480 * perRound)
})
