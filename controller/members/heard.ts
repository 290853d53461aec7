import type { Env } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import { heartbeatPartitions, heartbeatTopic, statusTopic } from '../../protocol/records/topics.ts'

/** What a controller listens to: announcements, and everybody's heartbeats. */
export const heard: readonly [topic: string, partition: number][] = [
  [statusTopic, 0],
  ...Array.from({ length: heartbeatPartitions }, (_, partition): [string, number] => [heartbeatTopic, partition]),
]

/**
 * Records that are kept of each of these partitions, how many of them a controller looks back at when it starts (fewer,
 * so that none of those is removed meanwhile), and how often the others are removed.
 */
export const heardKept = { records: 1_000, recalled: 500, everyMs: 60_000 }

/** Removes what everybody has heard: the records before the newest `heardKept.records` of each partition. */
export async function trimHeard(env: Env, stopped: () => boolean): Promise<void> {
  for (const [topic, partition] of heard) {
    const range = await untilAnswered(env, () => env.log.range(topic, partition), stopped)
    const before = (range?.next ?? 0) - heardKept.records
    if (range && before > range.oldest) await untilAnswered(env, () => env.log.trim(topic, partition, before), stopped)
  }
}
