/** The topics of a cluster and how slots and inboxes map to their partitions. */

export const defaultGroup = 'default'
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
export const heartbeatPartitions = 8

export function commandTopic(group: string): string {
  return `holdfast.commands.${group}`
}
