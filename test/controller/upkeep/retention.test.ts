// Proves that the log keeps what somebody may still need and nothing older: commands from the owner's last record on, for
// a retention time, inboxes from the slowest proxy's place on, until a silent one is dead for certain; and that it stays
// bounded under steady load, however long that lasts.
import t from 'tap'
import type { StoreEnv } from '../../../cluster/env.ts'
import { clusterTopics } from '../../../cluster/topics.ts'
import { loadConfig } from '../../../config/load.ts'
import {
  Retention,
  handledCommands,
  keptMs,
  readInboxes,
  samplesPerRetention,
} from '../../../controller/upkeep/retention.ts'
import { MemoryLog, MemoryLogData } from '../../../log/memory/memory-log.ts'
import { partitionOf } from '../../../protocol/partition.ts'
import type { ProxyBeat } from '../../../protocol/records/heartbeat.ts'
import { commandTopic, defaultGroup, inboxTopic } from '../../../protocol/records/topics.ts'
import type { Lease } from '../../../store/store.ts'
import { testEnv } from '../../harness/env.ts'
import { testConfig } from '../../harness/settings.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const commands = commandTopic(defaultGroup)
const retentionMs = 60_000
const deathMs = 10_000
const stopped = () => false
const name = (partition: number) => ['p-0', 'p-1', 'p-2', 'p-3'].find((id) => partitionOf(id, 2) === partition)!
const proxy = (partition: number, inboxOffset: number) => ({ id: name(partition), inboxOffset }) as ProxyBeat
const lease = (nextOffset: number) => ({ slot: 'default/0', nextOffset }) as unknown as Lease

function setUp() {
  const data = new MemoryLogData()
  data.createTopics(clusterTopics(testConfig({ 'topics.slots': '1', 'topics.inbox_partitions': '2' })))
  const clock = new ManualClock()
  const { config } = loadConfig({
    env: {},
    cwd: import.meta.dirname,
    flags: { 'topics.inbox_partitions': '2', 'topics.retention': '1m' },
  })
  const log = new MemoryLog(data)
  const env = testEnv({ clock, log })
  const append = (topic: string, partition: number, count: number) =>
    data.append(
      topic,
      partition,
      Array.from({ length: count }, () => ({ key: null, value: Buffer.from('x') })),
    )
  const storeEnv = env as unknown as StoreEnv
  const kept = keptMs(config)
  const [ofCommands, ofInboxes] = [new Retention(storeEnv, kept.commands), new Retention(storeEnv, kept.inboxes)]
  return {
    data,
    clock,
    append,
    kept,
    ofCommands,
    ofInboxes,
    lookAtCommands: (leases: Lease[]) => ofCommands.look(handledCommands(leases), stopped),
    lookAtInboxes: async (proxies: ProxyBeat[]) =>
      ofInboxes.look(await readInboxes(storeEnv, 2, proxies, stopped), stopped),
  }
}

t.test('commands that are handled go, a retention time later', async (t) => {
  const { data, clock, append, lookAtCommands, kept } = setUp()
  t.equal(kept.commands, retentionMs)
  append(commands, 0, 100)
  const oldest = () => data.range(commands, 0).oldest
  await lookAtCommands([lease(50)])
  t.equal(oldest(), 0, 'nothing yet')
  clock.advance(retentionMs - 1)
  await lookAtCommands([lease(90)])
  t.equal(oldest(), 0, 'nor a moment before')
  clock.advance(1)
  await lookAtCommands([lease(90)])
  t.equal(oldest(), 49, 'as far as the last record handled then')
})

t.test('so do those of every other group', async (t) => {
  const { data, clock, append, lookAtCommands } = setUp()
  const topic = commandTopic('inner')
  data.createTopics([{ name: topic, partitions: 1, compacted: false }])
  for (const each of [commands, topic]) append(each, 0, 100)
  const leases = [lease(50), { ...lease(80), slot: 'inner/0' as const }]
  await lookAtCommands(leases)
  clock.advance(retentionMs)
  await lookAtCommands(leases)
  t.same(
    [commands, topic].map((each) => data.range(each, 0).oldest),
    [49, 79],
  )
})

t.test('what every proxy has read goes as soon as a silent one is dead for certain', async (t) => {
  const { data, clock, append, lookAtInboxes, kept } = setUp()
  t.ok(kept.inboxes < retentionMs && kept.inboxes > deathMs)
  for (const partition of [0, 1]) append(inboxTopic, partition, 100)
  // Two proxies share partition 0; nobody reads partition 1.
  const slow = proxy(0, 30)
  await lookAtInboxes([proxy(0, 80), slow])
  const oldest = () => [0, 1].map((partition) => data.range(inboxTopic, partition).oldest)
  t.same(oldest(), [0, 0], 'nothing yet')
  clock.advance(kept.inboxes - 1)
  await lookAtInboxes([proxy(0, 100), slow])
  t.same(oldest(), [0, 0], 'nor a moment before')
  clock.advance(1)
  await lookAtInboxes([proxy(0, 100), slow])
  t.same(oldest(), [30, 100], 'as far as the slowest proxy was')
  clock.advance(kept.inboxes)
  await lookAtInboxes([proxy(0, 100), slow])
  t.same(oldest(), [30, 100], 'one that is silent keeps its place')
  await lookAtInboxes([proxy(0, 100)])
  clock.advance(kept.inboxes)
  await lookAtInboxes([proxy(0, 100)])
  t.same(oldest(), [100, 100], 'until it is dead')
})

t.test('a topic that was made anew', async (t) => {
  const { data, clock, append, lookAtInboxes, kept } = setUp()
  await lookAtInboxes([proxy(0, 100)])
  append(inboxTopic, 0, 50)
  clock.advance(kept.inboxes)
  await lookAtInboxes([proxy(0, 20)])
  t.same(data.range(inboxTopic, 0), { oldest: 20, next: 50 }, 'what was passed in the old one says nothing')
})

t.test('a short retention counts for inboxes too', async (t) => {
  const { config } = loadConfig({
    env: {},
    cwd: import.meta.dirname,
    flags: { 'topics.retention': '30s', 'controller.proxy_death_time': '1h' },
  })
  t.same(keptMs(config), { commands: 30_000, inboxes: 30_000 })
})

t.test('a slot that stands still keeps its records', async (t) => {
  const { data, clock, append, ofCommands, lookAtCommands } = setUp()
  for (let round = 0; round < 50; round++) {
    append(commands, 0, 10)
    await lookAtCommands([lease(0)])
    clock.advance(ofCommands.everyMs)
  }
  t.equal(data.range(commands, 0).oldest, 0)
})

t.test('under steady load the log stays bounded', async (t) => {
  const { data, clock, append, ofCommands, lookAtCommands, ofInboxes, lookAtInboxes } = setUp()
  const perRound = 100
  const steadily = async (topic: string, everyMs: number, look: (next: number) => Promise<void>) => {
    for (let round = 1; round <= 500; round++) {
      append(topic, 0, perRound)
      await look(round * perRound)
      clock.advance(everyMs)
      const { oldest, next } = data.range(topic, 0)
      if (next - oldest > perRound * (samplesPerRetention + 2)) t.fail(`${topic} holds ${next - oldest} records`)
    }
    t.ok(data.range(topic, 0).oldest > 480 * perRound)
  }
  await steadily(commands, ofCommands.everyMs, (next) => lookAtCommands([lease(next)]))
  await steadily(inboxTopic, ofInboxes.everyMs, (next) => lookAtInboxes([proxy(0, next)]))
})
