import { LogError } from '../../log/errors.ts'
/** The records of the simulated log. */
import { readBatchMax } from '../../log/log.ts'
import type { LogEntry, LogRange, LogRecord, TopicSpec } from '../../log/log.ts'
import { checkAppend, checkPlace, checkTopic } from '../../log/rules.ts'

interface Partition extends LogRange {
  /** In order of offset; with holes when compacted. */
  records: LogRecord[]
  /** Called once, at the next change. */
  waiting: Set<() => void>
}

interface Topic {
  compacted: boolean
  partitions: Partition[]
}

/** What is in the log. Unlike that of the memory adapter it can lose records, as brokers do that were promised too little. */
export class LogData {
  readonly #topics = new Map<string, Topic>()

  createTopics(topics: TopicSpec[]): void {
    for (const spec of topics) {
      const found = this.#topics.get(spec.name)
      if (found) checkTopic(spec, found.partitions.length, found.compacted)
    }
    for (const { name, partitions, compacted } of topics) {
      if (this.#topics.has(name)) continue
      const empty = () => ({ oldest: 0, next: 0, records: [], waiting: new Set<() => void>() })
      this.#topics.set(name, { compacted, partitions: Array.from({ length: partitions }, empty) })
    }
  }

  append(topic: string, partition: number, entries: LogEntry[]): number {
    const target = this.#partition(topic, partition)
    checkAppend(topic, partition, entries)
    const first = target.next
    const isCompacted = this.#topics.get(topic)!.compacted
    for (const { key, value } of entries) {
      if (key !== null && isCompacted) {
        target.records = target.records.filter((older) => older.key?.equals(key) !== true)
      }
      target.records.push({ offset: target.next++, key, value })
    }
    wake(target)
    return first
  }

  range(topic: string, partition: number): LogRange {
    const { oldest, next } = this.#partition(topic, partition)
    return { oldest, next }
  }

  read(topic: string, partition: number, from: number, most = readBatchMax): LogRecord[] {
    const found = this.#partition(topic, partition)
    checkPlace(topic, partition, from, found)
    const { records, next } = found
    // Most readers are near the end.
    let start = Math.max(0, records.length - (next - from))
    while (start < records.length && records[start]!.offset < from) start++
    return records.slice(start, start + most)
  }

  trim(topic: string, partition: number, before: number): void {
    const target = this.#partition(topic, partition)
    target.oldest = Math.min(Math.max(before, target.oldest), target.next)
    target.records = target.records.filter(({ offset }) => offset >= target.oldest)
    wake(target)
  }

  /** Loses every record from `from` on: an unclean leader, or at 0 a topic that was deleted and made anew. */
  lose(topic: string, partition: number, from: number): void {
    const target = this.#partition(topic, partition)
    target.records = target.records.filter(({ offset }) => offset < from)
    target.next = Math.min(from, target.next)
    target.oldest = Math.min(target.oldest, target.next)
    wake(target)
  }

  /** Calls `changed` once, at the next change. */
  watch(topic: string, partition: number, changed: () => void): void {
    this.#partition(topic, partition).waiting.add(changed)
  }

  #partition(topic: string, partition: number): Partition {
    const found = this.#topics.get(topic)?.partitions[partition]
    if (!found) throw new LogError('unknown_topic', `the log has no ${topic}/${partition}`)
    return found
  }
}

function wake(partition: Partition): void {
  const { waiting } = partition
  partition.waiting = new Set()
  for (const changed of waiting) changed()
}
