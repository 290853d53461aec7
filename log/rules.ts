import { appendBytesMax, recordOverheadBytes } from '../protocol/records/sizes.ts'
import { LogError } from './errors.ts'
import type { LogEntry, LogRange, TopicSpec } from './log.ts'

/** Bytes that a record counts for wherever records are sent, bounded or held ready; so many tiny ones count too. */
export function recordBytes({ key, value }: LogEntry): number {
  return recordOverheadBytes + (key?.byteLength ?? 0) + value.byteLength
}

/** Throws `out_of_range` when reading cannot start at offset `from`. */
export function checkPlace(topic: string, partition: number, from: number, { oldest, next }: LogRange): void {
  if (from >= oldest && from <= next) return
  throw new LogError('out_of_range', `offset ${from} is not in ${topic}/${partition}, which has ${oldest} to ${next}`)
}

/** Throws `too_large` when no log takes the entries as one append. */
export function checkAppend(topic: string, partition: number, entries: LogEntry[]): void {
  let bytes = 0
  // Not reduce: a list of holes, which a client of the engine may send, ends here at the first and not at the last.
  for (const entry of entries) bytes += recordBytes(entry)
  if (bytes <= appendBytesMax) return
  throw new LogError('too_large', `${bytes} bytes for ${topic}/${partition}, where ${appendBytesMax} is the most`)
}

/** Throws `topic_mismatch` when the topic exists with other settings than the wanted ones. */
export function checkTopic(wanted: TopicSpec, partitions: number, compacted: boolean): void {
  if (wanted.partitions === partitions && wanted.compacted === compacted) return
  const { name, partitionsKey } = wanted
  if (partitionsKey !== undefined && wanted.partitions !== partitions)
    throw new LogError(
      'topic_mismatch',
      `${partitionsKey} is ${wanted.partitions}, but the cluster was made with ${partitions}: topic ${name} has ${partitions} partitions, for good`,
    )
  const words = (count: number, compact: boolean): string => `${count} partitions${compact ? ', compacted' : ''}`
  throw new LogError(
    'topic_mismatch',
    `topic ${name} has ${words(partitions, compacted)}, not ${words(wanted.partitions, wanted.compacted)}`,
  )
}
