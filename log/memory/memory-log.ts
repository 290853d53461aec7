import { LogError } from '../errors.ts'
import { readBatchMax, type Log, type LogEntry, type LogRange, type LogReader, type LogRecord } from '../log.ts'
import type { TopicSpec } from '../log.ts'
import { checkAppend, checkPlace, checkTopic } from '../rules.ts'

interface MemoryPartition extends LogRange {
  /** In order of offset; with holes when compacted. */
  records: LogRecord[]
}

interface MemoryTopic {
  compacted: boolean
  partitions: MemoryPartition[]
}

/** What several MemoryLog handles share. */
export class MemoryLogData {
  #topics = new Map<string, MemoryTopic>()
  #watchers = new Set<() => void>()

  createTopics(topics: TopicSpec[]): void {
    for (const spec of topics) {
      const found = this.#topics.get(spec.name)
      if (found !== undefined) checkTopic(spec, found.partitions.length, found.compacted)
    }
    for (const { name, partitions, compacted } of topics) {
      if (this.#topics.has(name)) continue
      const empty = Array.from({ length: partitions }, () => ({ oldest: 0, next: 0, records: [] }))
      this.#topics.set(name, { compacted, partitions: empty })
    }
  }

  append(topic: string, partition: number, entries: LogEntry[]): number {
    const target = this.#partition(topic, partition)
    checkAppend(topic, partition, entries)
    const first = target.next
    for (const { key, value } of entries) {
      if (key !== null && this.#topics.get(topic)?.compacted === true) {
        target.records = target.records.filter((older) => older.key?.equals(key) !== true)
      }
      target.records.push({ offset: target.next, key, value })
      target.next += 1
    }
    this.wake()
    return first
  }

  range(topic: string, partition: number): LogRange {
    const { oldest, next } = this.#partition(topic, partition)
    return { oldest, next }
  }

  trim(topic: string, partition: number, before: number): void {
    const target = this.#partition(topic, partition)
    target.oldest = Math.min(Math.max(before, target.oldest), target.next)
    target.records = target.records.filter((record) => record.offset >= target.oldest)
    this.wake()
  }

  /** At most `readBatchMax` records from offset `from` on. */
  read(topic: string, partition: number, from: number): LogRecord[] {
    const { oldest, next, records } = this.#partition(topic, partition)
    checkPlace(topic, partition, from, { oldest, next })
    const start = firstAtOrAfter(records, from)
    return records.slice(start, start + readBatchMax)
  }

  /** Calls `changed` after every change, until the returned function is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  wake(): void {
    for (const changed of this.#watchers) changed()
  }

  #partition(topic: string, partition: number): MemoryPartition {
    const found = this.#topics.get(topic)?.partitions[partition]
    if (found === undefined) throw new LogError('unknown_topic', `the log has no ${topic}/${partition}`)
    return found
  }
}

function firstAtOrAfter(records: LogRecord[], offset: number): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((records[middle]?.offset ?? offset) < offset) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Where a test can get between a caller and the log. A hook that waits holds the append; one that throws makes it
 * reject with `unavailable`: before, nothing was appended; after, only the acknowledgement was lost. A LogError is passed
 * on as it is. A hook may append to the shared data itself, to make a duplicate.
 */
export interface MemoryLogHooks {
  beforeAppend?: (topic: string, partition: number, entries: LogEntry[]) => Promise<void> | void
  afterAppend?: (topic: string, partition: number, entries: LogEntry[], offset: number) => Promise<void> | void
}

/** One process's handle on an in-process log. */
export class MemoryLog implements Log {
  #data: MemoryLogData
  #hooks: MemoryLogHooks
  #readers = new Set<MemoryReader>()
  #reachable = true
  #closed = false

  constructor(data: MemoryLogData, hooks: MemoryLogHooks = {}) {
    this.#data = data
    this.#hooks = hooks
  }

  /** While cut off, every request ends `unavailable`, those under way too, and readers see nothing. */
  cut(): void {
    this.#reachable = false
  }

  restore(): void {
    this.#reachable = true
    this.#data.wake()
  }

  async createTopics(topics: TopicSpec[]): Promise<void> {
    this.#check()
    this.#data.createTopics(topics)
  }

  async append(topic: string, partition: number, entries: LogEntry[]): Promise<number> {
    await this.#pass(() => this.#hooks.beforeAppend?.(topic, partition, entries))
    const offset = this.#data.append(topic, partition, entries)
    await this.#pass(() => this.#hooks.afterAppend?.(topic, partition, entries, offset))
    return offset
  }

  async range(topic: string, partition: number): Promise<LogRange> {
    this.#check()
    return this.#data.range(topic, partition)
  }

  async trim(topic: string, partition: number, before: number): Promise<void> {
    this.#check()
    this.#data.trim(topic, partition, before)
  }

  read(topic: string, partition: number, from: number): LogReader {
    if (this.#closed) throw new LogError('closed', 'the log is closed')
    const reader = new MemoryReader(
      (offset) => (this.#reachable ? this.#data.read(topic, partition, offset) : []),
      (changed) => this.#data.watch(changed),
      from,
    )
    this.#readers.add(reader)
    return reader
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const reader of this.#readers) reader.close()
    this.#readers.clear()
  }

  async #pass(hook: () => Promise<void> | void): Promise<void> {
    try {
      await hook()
    } catch (error) {
      if (error instanceof LogError) throw error
      throw new LogError('unavailable', 'the connection to the log was cut', { cause: error })
    }
    this.#check()
  }

  #check(): void {
    if (this.#closed) throw new LogError('closed', 'the log is closed')
    if (!this.#reachable) throw new LogError('unavailable', 'the log cannot be reached')
  }
}

class MemoryReader implements LogReader {
  #read: (offset: number) => LogRecord[]
  #watch: (changed: () => void) => () => void
  #offset: number
  #closed = false
  #wake: () => void = () => {}

  constructor(read: (offset: number) => LogRecord[], watch: (changed: () => void) => () => void, from: number) {
    this.#read = read
    this.#watch = watch
    this.#offset = from
  }

  async next(): Promise<LogRecord[]> {
    while (!this.#closed) {
      const records = this.#read(this.#offset)
      const last = records.at(-1)
      if (last !== undefined) {
        this.#offset = last.offset + 1
        return records
      }
      await this.#change()
    }
    throw new LogError('closed', 'the reader is closed')
  }

  close(): void {
    this.#closed = true
    this.#wake()
  }

  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const unwatch = this.#watch(resolve)
    await promise
    unwatch()
  }
}
