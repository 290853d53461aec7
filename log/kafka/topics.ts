import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import type { Admin } from 'kafkajs'
import { topicBatchBytesMin } from '../../protocol/records/sizes.ts'
import { LogError } from '../errors.ts'
import type { TopicSpec } from '../log.ts'
import { checkTopic } from '../rules.ts'
import { failureOf } from './errors.ts'

/** How topics are kept safe; undefined: as suits the number of brokers. */
export interface Replication {
  replication: number | undefined
  minInsync: number | undefined
}

/** Settings of a topic that others are refused for, and those that are only given at the start. */
interface Settings {
  checked: Record<string, string>
  initial: Record<string, string>
}

/** Time that a topic has to be everywhere once it was made. */
export const creationMs = 15_000

/** A topic that another process is making is looked at again after this long. */
const lookAgainMs = 50

/** Makes the topics that are missing, which it returns, and looks whether the others are as they must be. */
export async function createTopics(admin: Admin, specs: TopicSpec[], replication: Replication): Promise<TopicSpec[]> {
  const end = performance.now() + creationMs
  for (;;) {
    try {
      return await createMissing(admin, specs, replication)
    } catch (error) {
      // One that was just made, maybe by another process, is not known everywhere at once.
      const failure = failureOf(error, 'topics')
      if (failure.code !== 'unknown_topic') throw error
      if (performance.now() > end) throw new LogError('unavailable', failure.message, { cause: error })
    }
    await sleep(lookAgainMs)
  }
}

async function createMissing(admin: Admin, specs: TopicSpec[], replication: Replication): Promise<TopicSpec[]> {
  const existing = new Set(await admin.listTopics())
  const there = specs.filter(({ name }) => existing.has(name))
  const missing = specs.filter(({ name }) => !existing.has(name))
  if (there.length > 0) await verify(admin, there, replication)
  if (missing.length === 0) return []
  await create(admin, missing, replication)
  // Another process may have been faster, and of another mind.
  await verify(admin, missing, replication)
  return missing
}

async function create(admin: Admin, specs: TopicSpec[], { replication, minInsync }: Replication): Promise<void> {
  const brokers = (await admin.describeCluster()).brokers.length
  const replicas = replication ?? Math.min(3, brokers)
  for (const { name, partitions, compacted } of specs) {
    const { checked, initial } = settingsOf(compacted)
    const insync = minInsync ?? (replicas >= 3 ? 2 : 1)
    const settings = { ...checked, ...initial, 'min.insync.replicas': String(insync) }
    // False when another process was faster: it is verified like any other.
    await admin.createTopics({
      waitForLeaders: true,
      timeout: creationMs,
      topics: [
        {
          topic: name,
          numPartitions: partitions,
          replicationFactor: replicas,
          configEntries: Object.entries(settings).map(([key, value]) => ({ name: key, value })),
        },
      ],
    })
  }
}

/**
 * Kafka itself must remove nothing that is not removed by `trim`, and nothing that it has acknowledged may be lost when a
 * broker is.
 */
function settingsOf(compacted: boolean): Settings {
  const common = { 'unclean.leader.election.enable': 'false' }
  const given = {
    // More is of no use, and the broker's own default may be less.
    'max.message.bytes': String(topicBatchBytesMin),
    // Records come without a time: who looks at them with Kafka's own tools sees the broker's.
    'message.timestamp.type': 'LogAppendTime',
  }
  return compacted
    ? {
        checked: { ...common, 'cleanup.policy': 'compact' },
        // Small, and read from its start by everybody who starts.
        initial: { ...given, 'segment.ms': '3600000', 'min.cleanable.dirty.ratio': '0.1' },
      }
    : {
        checked: { ...common, 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' },
        // What was trimmed goes segment by segment.
        initial: { ...given, 'segment.bytes': '67108864' },
      }
}

async function verify(admin: Admin, specs: TopicSpec[], { replication, minInsync }: Replication): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: specs.map(({ name }) => name) })
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: specs.map(({ name }) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  })
  for (const spec of specs) {
    const found = topics.find(({ name }) => name === spec.name)
    const entries = resources.find(({ resourceName }) => resourceName === spec.name)?.configEntries ?? []
    const settings = new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
    checkTopic(spec, found?.partitions.length ?? 0, settings.get('cleanup.policy')?.includes('compact') === true)
    for (const [name, wanted] of Object.entries(settingsOf(spec.compacted).checked))
      mustBe(spec.name, name, settings.get(name), wanted, settings.get(name) === wanted)
    const bytes = settings.get('max.message.bytes')
    mustBe(spec.name, 'max.message.bytes', bytes, `${topicBatchBytesMin} or more`, Number(bytes) >= topicBatchBytesMin)
    const replicas = Math.min(...(found?.partitions.map((partition) => partition.replicas.length) ?? [0]))
    if (replication !== undefined)
      mustBe(spec.name, 'replication factor', String(replicas), `${replication} or more`, replicas >= replication)
    const insync = settings.get('min.insync.replicas')
    const wanted = minInsync ?? (replicas >= 3 ? 2 : 1)
    mustBe(spec.name, 'min.insync.replicas', insync, `${wanted} or more`, Number(insync) >= wanted)
  }
}

function mustBe(topic: string, name: string, found: string | undefined, wanted: string, isSo: boolean): void {
  if (isSo) return
  throw new LogError(
    'topic_mismatch',
    `topic ${topic} has ${name} = ${found ?? 'nothing'}, wanted ${wanted}: change it with kafka-configs, or let us make the topic`,
  )
}
