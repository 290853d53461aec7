import type { SqliteLog } from '../../log/embedded/sqlite-log.ts'
import type { LogRecord } from '../../log/log.ts'
import { recordBytes } from '../../log/rules.ts'
import type { Appended } from './requests.ts'

/** Bytes that one reader which is behind gets in one turn, so that none keeps the others waiting. */
const catchUpBytes = 256 * 1024

/** A reader of one partition, as the engine sees it. */
export interface Tail {
  topic: string
  partition: number
  /** Offset of the next record to send. */
  next: number
  /** Bytes of records that its client is ready to take. */
  credit: number
  /** False while its client does not read what it was sent. */
  readonly roomy: boolean
  records(records: LogRecord[]): void
  /** It cannot go on; it is forgotten. */
  broken(error: unknown): void
}

/**
 * Sends records to those who follow a partition: straight from memory to a reader at the tail, from the tables to one
 * that is behind, to none more than it gave credit for.
 */
export class Tails {
  #log: SqliteLog
  #partitions = new Map<string, Set<Tail>>()
  #behind = new Set<Tail>()
  #scheduled = false

  constructor(log: SqliteLog) {
    this.#log = log
  }

  /** From here on it gets what comes, and what it has missed first. */
  add(tail: Tail): void {
    const key = partitionKey(tail)
    const tails = this.#partitions.get(key) ?? new Set()
    this.#partitions.set(key, tails.add(tail))
    this.catchUp(tail)
  }

  remove(tail: Tail): void {
    const key = partitionKey(tail)
    const tails = this.#partitions.get(key)
    tails?.delete(tail)
    if (tails?.size === 0) this.#partitions.delete(key)
    this.#behind.delete(tail)
  }

  /** To be called when a tail has new credit or room. */
  catchUp(tail: Tail): void {
    this.#behind.add(tail)
    this.#schedule()
  }

  /** New records, just committed. */
  appended(appended: Appended): void {
    const tails = this.#partitions.get(partitionKey(appended))
    if (tails === undefined) return
    const records = appended.entries.map(({ key, value }, index) => ({ offset: appended.first + index, key, value }))
    const bytes = sizeOf(records)
    for (const tail of tails) {
      if (tail.next === appended.first && tail.credit >= bytes && tail.roomy) this.#send(tail, records, bytes)
      else this.catchUp(tail)
    }
  }

  #send(tail: Tail, records: LogRecord[], bytes: number): void {
    tail.credit -= bytes
    tail.next = (records.at(-1)?.offset ?? tail.next - 1) + 1
    tail.records(records)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      const round = [...this.#behind]
      this.#behind.clear()
      for (const tail of round) this.#feed(tail)
    })
  }

  #feed(tail: Tail): void {
    if (tail.credit <= 0 || !tail.roomy) return
    const { topic, partition, next, credit } = tail
    try {
      const records = this.#log.read(topic, partition, next, Math.min(credit, catchUpBytes))
      if (records.length > 0) {
        this.#send(tail, records, sizeOf(records))
        this.catchUp(tail)
      } else {
        // Where compaction left nothing up to the end, the reader is at the end.
        tail.next = this.#log.range(topic, partition).next
      }
    } catch (error) {
      this.remove(tail)
      tail.broken(error)
    }
  }
}

function partitionKey({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`
}

function sizeOf(records: LogRecord[]): number {
  return records.reduce((sum, record) => sum + recordBytes(record), 0)
}
