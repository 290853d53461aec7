/**
 * The `log` seam: an ordered, partitioned, durable log. Adapters: `kafka`, `embedded`, `memory`; all pass
 * test/log/contract.ts. An adapter stores and reads records and nothing else: lanes, retries of appends, producer
 * deduplication and fencing sit above it, once.
 *
 * Offsets are integers and rise by one within a partition of a topic that is not compacted; a compacted topic has
 * holes, because an older record gives way to a newer one with the same key.
 */

/** A topic as it has to be; cluster/topics.ts lists all of them. */
export interface TopicSpec {
  /** Without the prefix that an adapter may put before it. */
  name: string
  /** Fixed for ever once made: a topic that exists with another number is refused. */
  partitions: number
  /** Keep only the newest record of each key. */
  compacted: boolean
  /** The configuration key that says how many partitions, for whoever reads that it has others. */
  partitionsKey?: string
}

/** What is appended. */
export interface LogEntry {
  /** In a compacted topic a newer record takes the place of an older one with the same key; null elsewhere. */
  key: Buffer | null
  /** What the adapter never looks into. */
  value: Buffer
}

/** What is read: an entry and its place in its partition. */
export interface LogRecord extends LogEntry {
  /** Place in the partition; never given out again. */
  offset: number
}

/** `oldest` is the first offset that can be read, `next` the one that the next append gets; equal when empty. */
export interface LogRange {
  /** Rises with `trim`. */
  oldest: number
  /** One above the newest record's. */
  next: number
}

/**
 * A reader of one partition that follows its tail. It survives a lost connection by itself; it never skips a record
 * and never repeats one.
 */
export interface LogReader {
  /**
   * Waits until at least one record is there and returns all that is ready, in order, at most `readBatchMax` of
   * them. Rejects with `out_of_range` when the place to read from is not in the log (any more), and with `closed`
   * after close(). One call at a time.
   */
  next(): Promise<LogRecord[]>
  /** Ends the reader, and a next() that waits, at once. */
  close(): void
}

/**
 * One process's access to the log. Every method may be called at any time, and rejects with a LogError: `closed` after
 * close(), `unavailable` when there was no answer.
 */
export interface Log {
  /**
   * Makes the topics that are missing; rejects with `topic_mismatch` when one exists with other settings, and
   * with `denied` when the log lets us in not at all, or not to do that: both are for a person to mend.
   */
  createTopics(topics: TopicSpec[]): Promise<void>
  /**
   * Appends the entries next to each other and in order, all or none, and returns the offset of the first. When it
   * rejects with `unavailable`, the entries may or may not be in the log; with `too_large` they are not, and trying again
   * is of no use. `appendBytesMax` bytes (protocol/records/sizes.ts) always fit.
   */
  append(topic: string, partition: number, entries: LogEntry[]): Promise<number>
  /**
   * Resolves when what is appended at once goes with the next request; what else comes meanwhile can go too. For adapters
   * that let appends wait for each other.
   */
  turn?(topic: string, partition: number): Promise<void>
  /** What can be read of a partition now. */
  range(topic: string, partition: number): Promise<LogRange>
  /** Starts at offset `from`, which may be the end of the log. */
  read(topic: string, partition: number, from: number): LogReader
  /** Removes what lies before `before`: retention, made explicit. Not for compacted topics. */
  trim(topic: string, partition: number, before: number): Promise<void>
  /**
   * How far the records of a partition have been handled, for tools that show the lag. Optional and best effort: nothing
   * depends on it.
   */
  noteProgress?(topic: string, partition: number, nextOffset: number): void
  /** Ends all readers and everything under way; resolves when nothing is left open. */
  close(): Promise<void>
}

/** Records that one LogReader.next() returns at most. */
export const readBatchMax = 2_000

/** Bytes that a reader holds ready at most, before the adapter stops fetching for it. */
export const readBufferBytesMax = 8 * 1024 * 1024
