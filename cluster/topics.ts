import type { TopicSpec } from '../log/log.ts'
import {
  commandTopic,
  controlTopic,
  defaultGroup,
  heartbeatPartitions,
  heartbeatTopic,
  inboxTopic,
  statusTopic,
} from '../protocol/records/topics.ts'

/** The topics of a cluster with so many slots and inbox partitions: what every process makes sure of when it starts. */
export function clusterTopics(slots: number, inboxPartitions: number): TopicSpec[] {
  return [
    { name: commandTopic(defaultGroup), partitions: slots, compacted: false, partitionsKey: 'topics.slots' },
    {
      name: inboxTopic,
      partitions: inboxPartitions,
      compacted: false,
      partitionsKey: 'topics.inbox_partitions',
    },
    { name: controlTopic, partitions: 1, compacted: true },
    { name: statusTopic, partitions: 1, compacted: false },
    { name: heartbeatTopic, partitions: heartbeatPartitions, compacted: false },
  ]
}
