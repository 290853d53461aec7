/** The topics of a cluster and how slots and inboxes map to their partitions. */

/** The one group of slots that a cluster has so far. */
export const defaultGroup = 'default'

/**
 * What workers tell proxies. Each proxy reads one of `topics.inbox_partitions` partitions, and drops what is for
 * others.
 */
export const inboxTopic = 'holdfast.inbox'
/** Hints from the controller, newest per key; the store is the truth. One partition: everybody reads all of it. */
export const controlTopic = 'holdfast.control'
/** Announcements of hand-offs. One partition, so that everybody sees them in one order. */
export const statusTopic = 'holdfast.status'
/**
 * Heartbeats, spread by the id of the process: controllers read all of them, a process that looks for the echo of its
 * own only its share.
 */
export const heartbeatTopic = 'holdfast.heartbeats'

/** Fixed for good, as the partitions of any topic are. */
export const heartbeatPartitions = 8

/** The topic of a group's commands: partition `n` is its slot `n`. */
export function commandTopic(group: string): string {
  return `holdfast.commands.${group}`
}
