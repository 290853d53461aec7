import crc32C from 'kafkajs/src/protocol/recordBatch/crc32C/index.js'
import { LogError } from '../../errors.ts'
import type { LogEntry, LogRecord } from '../../log.ts'
import { recordBytes } from '../../rules.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'

/** Kafka's record batch, format 2: what a broker stores, appends whole or not at all, and hands out again. */

const magic = 2
const headerSize = 61
/** A record without a time, to Kafka. */
const noTime = -1
/** From here on the checksum counts. */
const attributesAt = 21
const compressionMask = 0x07
const transactionalMask = 0x10
const controlMask = 0x20

/** More than a record needs beside its key and value. */
const recordRoom = 1 + 5 * 5

/** Bytes that a batch of these entries takes at most. */
export function batchRoom(entries: LogEntry[]): number {
  let size = headerSize + entries.length * recordRoom
  for (const { key, value } of entries) size += (key?.byteLength ?? 0) + value.byteLength
  return size
}

/**
 * Writes the entries of several appends as one batch: their records lie next to each other, in order. They carry no time:
 * a broker refuses those that are too far ahead of its own clock (message.timestamp.after.max.ms, an hour by default), and
 * nobody reads them.
 */
export function writeBatch(writer: ByteWriter, appends: LogEntry[][]): void {
  const start = writer.at
  const count = appends.reduce((sum, entries) => sum + entries.length, 0)
  writer.int64(0) // base offset: the broker's to give
  writer.int32(0) // length, below
  writer.int32(-1) // leader epoch: the broker's too
  writer.int8(magic)
  writer.int32(0) // checksum, below
  writer.int16(0) // not compressed, not transactional
  writer.int32(count - 1)
  writer.int64(noTime)
  writer.int64(noTime)
  writer.int64(-1) // no producer id: not idempotent
  writer.int16(-1)
  writer.int32(-1)
  writer.int32(count)
  let index = 0
  for (const entries of appends) for (const entry of entries) writeRecord(writer, entry, index++)
  writer.buffer.writeInt32BE(writer.at - start - 12, start + 8)
  const counted = writer.buffer.subarray(start + attributesAt, writer.at)
  writer.buffer.writeUInt32BE(crc32C(counted), start + attributesAt - 4)
}

function writeRecord(writer: ByteWriter, { key, value }: LogEntry, index: number): void {
  const keyLength = key?.byteLength ?? -1
  const size =
    3 + // attributes, time delta, number of headers
    signedSize(index) +
    signedSize(keyLength) +
    Math.max(0, keyLength) +
    signedSize(value.byteLength) +
    value.byteLength
  writer.signed(size)
  writer.int8(0)
  writer.signed(0)
  writer.signed(index)
  writer.signed(keyLength)
  if (key !== null) writer.bytes(key)
  writer.signed(value.byteLength)
  writer.bytes(value)
  writer.signed(0)
}

function signedSize(value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  let size = 1
  while (rest > 0x7f) {
    rest >>>= 7
    size += 1
  }
  return size
}

/** A transaction that was given up: what this producer wrote from this offset on does not count. */
export interface AbortedTransaction {
  producerId: number
  firstOffset: number
}

/** Records of one partition, read from one place on. */
export interface RecordRun {
  records: LogRecord[]
  /** What they count for where they are held ready. */
  bytes: number
  /** Where reading goes on; beyond the last record where batches without one followed. */
  next: number
  /** Leader epoch of the last batch; -1 when there was none. */
  epoch: number
}

/**
 * Reads the batches that a broker gave for a fetch from offset `from`. Leaves out what lies before `from`, control
 * records, and what belongs to an aborted transaction; a batch that was cut off at the end is for the next fetch.
 * Keys and values are parts of `reader`'s buffer. Throws a LogError when something cannot be read.
 */
export function readBatches(reader: ByteReader, from: number, aborted: AbortedTransaction[]): RecordRun {
  const run: RecordRun = { records: [], bytes: 0, next: from, epoch: -1 }
  const abortedNow = new Set<number>()
  const abortedLater = aborted.toSorted((one, other) => one.firstOffset - other.firstOffset)
  while (reader.left >= headerSize) {
    const start = reader.at
    const base = reader.int64()
    const length = reader.int32()
    if (length > reader.left) break
    const end = reader.at + length
    readBatch(reader, start, base, end)
    reader.at = end
  }
  return run

  function readBatch(reader: ByteReader, start: number, base: number, end: number): void {
    const epoch = reader.int32()
    if (reader.int8() !== magic) throw new LogError('topic_mismatch', 'the topic has records in a format before 2')
    const checksum = reader.int32() >>> 0
    const attributes = reader.int16()
    const last = base + reader.int32()
    reader.at += 16 // times
    const producerId = reader.int64()
    reader.at += 6
    const count = reader.int32()
    if (crc32C(reader.buffer.subarray(start + attributesAt, end)) !== checksum)
      throw new LogError('unavailable', `the checksum of the records at offset ${base} is wrong`)
    if (last < run.next) return
    while (abortedLater[0] && abortedLater[0].firstOffset <= last) abortedNow.add(abortedLater.shift()!.producerId)
    run.next = last + 1
    run.epoch = epoch
    // The end of a transaction, whichever way it ended.
    if (attributes & controlMask) return void abortedNow.delete(producerId)
    if (attributes & transactionalMask && abortedNow.has(producerId)) return
    if (attributes & compressionMask)
      throw new LogError('topic_mismatch', 'the topic has compressed records, which this program never writes')
    for (let left = count; left > 0; left -= 1) {
      const size = reader.signed()
      const recordEnd = reader.at + size
      reader.at += 1
      reader.signed() // time delta
      const offset = base + reader.signed()
      const keyLength = reader.signed()
      const key = keyLength < 0 ? null : reader.bytes(keyLength)
      const value = reader.bytes(Math.max(0, reader.signed()))
      reader.at = recordEnd
      if (offset < from) continue
      const record = { offset, key, value }
      run.records.push(record)
      run.bytes += recordBytes(record)
    }
  }
}
