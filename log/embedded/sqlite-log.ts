import { bytes, bytesOrNull, integer, integerOrNull, type Sql } from '../../engine/sql.ts'
import { LogError } from '../errors.ts'
import type { LogEntry, LogRange, LogRecord, TopicSpec } from '../log.ts'
import { checkAppend, checkPlace, checkTopic, recordBytes } from '../rules.ts'

/** Offsets that fit beside a partition's id in a number that JavaScript holds exactly. */
const offsetsPerPartition = 2 ** 40

/** Partitions of a topic at most: whoever reaches the engine's socket may ask for any number. */
const partitionsMax = 100_000

interface Partition extends LogRange {
  id: number
  compacted: boolean
}

/**
 * The log in a SQLite database that has its tables. Synchronous; every method runs in the caller's transaction, which
 * must be rolled back (to where it was) when it throws.
 */
export class SqliteLog {
  #sql: Sql
  /** What the partitions' rows hold; nobody else writes them. */
  #partitions = new Map<string, Partition>()

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** To be called after a rollback: what was remembered may not be so. */
  forget(): void {
    this.#partitions.clear()
  }

  createTopics(topics: TopicSpec[]): void {
    for (const topic of topics) {
      const { name, partitions, compacted } = topic
      const found = this.#sql.get('SELECT partitions, compacted FROM log_topic WHERE name = ?', name)
      if (found !== undefined) {
        checkTopic(topic, integer(found['partitions']), found['compacted'] === 1)
        continue
      }
      if (!(partitions >= 1 && partitions <= partitionsMax))
        throw new RangeError(`a topic has 1 to ${partitionsMax} partitions, not ${partitions}`)
      this.#sql.run(
        'INSERT INTO log_topic (name, partitions, compacted) VALUES (?, ?, ?)',
        name,
        partitions,
        compacted ? 1 : 0,
      )
      for (let partition = 0; partition < partitions; partition += 1) {
        this.#sql.run(
          'INSERT INTO log_partition (topic_id, partition) SELECT id, ? FROM log_topic WHERE name = ?',
          partition,
          name,
        )
      }
    }
  }

  /** Returns the offset of the first entry. */
  append(topic: string, partition: number, entries: LogEntry[]): number {
    const found = this.#partition(topic, partition)
    checkAppend(topic, partition, entries)
    const { id, next, compacted } = found
    for (const [index, { key, value }] of entries.entries()) {
      const place = id * offsetsPerPartition + next + index
      this.#sql.run('INSERT INTO log_record (place, key, value) VALUES (?, ?, ?)', place, key, value)
      if (compacted && key !== null) this.#replace(id, key, place)
    }
    found.next = next + entries.length
    return next
  }

  range(topic: string, partition: number): LogRange {
    const { oldest, next } = this.#partition(topic, partition)
    return { oldest, next }
  }

  /** Records from offset `from` on, at most `bytesMax` of them by `recordBytes`, but one at least if there is one. */
  read(topic: string, partition: number, from: number, bytesMax: number): LogRecord[] {
    const { id, oldest, next } = this.#partition(topic, partition)
    checkPlace(topic, partition, from, { oldest, next })
    const base = id * offsetsPerPartition
    const records: LogRecord[] = []
    let size = 0
    const rows = this.#sql.iterate(
      'SELECT place, key, value FROM log_record WHERE place >= ? AND place < ? ORDER BY place',
      base + from,
      base + next,
    )
    for (const row of rows) {
      const record = { offset: integer(row['place']) - base, key: bytesOrNull(row['key']), value: bytes(row['value']) }
      size += recordBytes(record)
      if (records.length > 0 && size > bytesMax) break
      records.push(record)
    }
    return records
  }

  trim(topic: string, partition: number, before: number): void {
    const found = this.#partition(topic, partition)
    const { id, oldest, next } = found
    const kept = Math.min(Math.max(before, oldest), next)
    const base = id * offsetsPerPartition
    this.#sql.run('DELETE FROM log_record WHERE place >= ? AND place < ?', base, base + kept)
    this.#sql.run('DELETE FROM log_key WHERE partition_id = ? AND place < ?', id, base + kept)
    found.oldest = kept
    this.#sql.run('UPDATE log_partition SET oldest = ?, next = ? WHERE id = ?', kept, next, id)
  }

  /** The offset after the last record that is there; 0 without any. */
  #afterLast(id: number): number {
    const base = id * offsetsPerPartition
    const row = this.#sql.get(
      'SELECT max(place) AS last FROM log_record WHERE place >= ? AND place < ?',
      base,
      base + offsetsPerPartition,
    )
    const last = integerOrNull(row?.['last'])
    return last === null ? 0 : last - base + 1
  }

  #replace(id: number, key: Buffer, place: number): void {
    const older = this.#sql.get('SELECT place FROM log_key WHERE partition_id = ? AND key = ?', id, key)
    if (older !== undefined) this.#sql.run('DELETE FROM log_record WHERE place = ?', integer(older['place']))
    this.#sql.run('INSERT OR REPLACE INTO log_key (partition_id, key, place) VALUES (?, ?, ?)', id, key, place)
  }

  #partition(topic: string, partition: number): Partition {
    const name = `${partition} ${topic}`
    const known = this.#partitions.get(name)
    if (known !== undefined) return known
    const row = this.#sql.get(
      `SELECT log_partition.id, oldest, next, compacted FROM log_topic
       JOIN log_partition ON topic_id = log_topic.id WHERE name = ? AND partition = ?`,
      topic,
      partition,
    )
    if (row === undefined) throw new LogError('unknown_topic', `the log has no ${topic}/${partition}`)
    const id = integer(row['id'])
    const found = {
      id,
      oldest: integer(row['oldest']),
      next: Math.max(integer(row['next']), this.#afterLast(id)),
      compacted: row['compacted'] === 1,
    }
    this.#partitions.set(name, found)
    return found
  }
}
