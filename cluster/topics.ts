import type { Config } from '../config/config.ts'
import type { TopicSpec } from '../log/log.ts'
import {
  commandTopic,
  controlTopic,
  heartbeatPartitions,
  heartbeatTopic,
  inboxTopic,
  statusTopic,
} from '../protocol/records/topics.ts'
import { slotGroups } from './slot-groups.ts'

/** The topics of a cluster: what every process makes sure of when it starts. */
export function clusterTopics(config: Config): TopicSpec[] {
  return [
    ...slotGroups(config).map(({ name, slots, slotsKey }) => ({
      name: commandTopic(name),
      partitions: slots,
      compacted: false,
      partitionsKey: slotsKey,
    })),
    {
      name: inboxTopic,
      partitions: config.topics.inbox_partitions,
      compacted: false,
      partitionsKey: 'topics.inbox_partitions',
    },
    { name: controlTopic, partitions: 1, compacted: true },
    { name: statusTopic, partitions: 1, compacted: false },
    { name: heartbeatTopic, partitions: heartbeatPartitions, compacted: false },
  ]
}
