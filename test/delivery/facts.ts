/** What the log and the store of a cluster in one process say about its instances. */
import { decodeEnvelope } from '../../protocol/records/envelope.ts'
import { inboxTopic } from '../../protocol/records/topics.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'

interface RawEvents {
  type: string
  to: string[]
  events: { k: string; c: string; to: number[]; t: number }[]
}

/** Which instances each publication in the inbox topic is addressed to: `channel top` → instances, sorted. */
export function addressees(cluster: InProcessCluster): Map<string, string[]> {
  const found = new Map<string, Set<string>>()
  for (let partition = 0; partition < cluster.config.topics.inbox_partitions; partition++) {
    const { oldest } = cluster.logData.range(inboxTopic, partition)
    for (const { value } of cluster.logData.read(inboxTopic, partition, oldest)) {
      const { type, to, events } = decodeEnvelope(value).header as RawEvents
      if (type !== 'events') continue
      for (const event of events) {
        if (event.k !== 'publication') continue
        const instances = found.getOrInsertComputed(`${event.c} ${event.t}`, () => new Set())
        for (const index of event.to) instances.add(to[index]!)
      }
    }
  }
  return new Map([...found].map(([key, instances]) => [key, [...instances].sort()]))
}

/** Rows of the store that name an instance. */
export function rowsOf(
  cluster: InProcessCluster,
  instance: string,
): { interest: number; producers: number; tombstones: number } {
  const count = (table: string, where: string, value: string) =>
    Number(cluster.storeData.sql.get(`SELECT count(*) AS n FROM ${table} WHERE ${where}`, value)!['n'])
  return {
    interest: count('interest', 'instance = ?', instance),
    producers: count('producer', 'producer LIKE ?', `${instance}.%`),
    tombstones: count('tombstone', 'pruned = 1 AND instance = ?', instance),
  }
}
