import { ByteReader, ByteWriter } from './bytes.ts'
import { readBatches, type AbortedTransaction, type RecordRun } from './record-batch.ts'
import { wireRequest, type WireRequest } from './request.ts'

/** From where a partition is to be read. */
export interface FetchPlace {
  /** In hexadecimal. */
  topicId: string
  /** Index in its topic. */
  partition: number
  /** Of the first record that is wanted. */
  offset: number
}

/**
 * Where in a fetch session (KIP-227) a request stands: id and epoch 0 begin one, and later requests name only what has
 * changed.
 */
export interface FetchSession {
  sessionId: number
  sessionEpoch: number
  /** What was in the session and is not read any more. */
  forgotten: { topicId: string; partition: number }[]
}

/**
 * What a broker may take and send for one fetch: time in ms, bytes of all and of each partition. The first batch of a
 * partition always comes, whatever its size.
 */
export interface FetchLimits {
  maxWaitMs: number
  bytes: number
  partitionBytes: number
}

/** Of the whole request; `clientSideThrottleTime` is ms, as kafkajs looks for it. */
export interface FetchAnswer {
  clientSideThrottleTime: number
  errorCode: number
  sessionId: number
  partitions: FetchedPartition[]
}

/** Of one partition; `errorCode` is Kafka's, 0 for none (codes.ts). */
export interface FetchedPartition {
  topicId: string
  partition: number
  errorCode: number
  /** Reads the records, from an offset on. */
  read: (from: number) => RecordRun
}

/** Of transactions only what was committed. */
const readCommitted = 1

/**
 * Fetch, version 13 (Kafka 3.1): the first that names topics by their ids. A topic that was deleted and made again, while
 * this process was frozen perhaps, has another one: the broker refuses it with UNKNOWN_TOPIC_ID, whatever it has at the
 * same offsets.
 */
export function fetchRequest(places: FetchPlace[], limits: FetchLimits, session: FetchSession): WireRequest {
  const topics = Map.groupBy(places, ({ topicId }) => topicId)
  const forgotten = Map.groupBy(session.forgotten, ({ topicId }) => topicId)
  const size = 48 + (topics.size + forgotten.size) * 22 + places.length * 33 + session.forgotten.length * 4
  const writer = new ByteWriter(size)
  writer.noTags() // of the header
  writer.int32(-1) // not a replica
  writer.int32(limits.maxWaitMs)
  writer.int32(1) // answer as soon as there is a byte
  writer.int32(limits.bytes)
  writer.int8(readCommitted)
  writer.int32(session.sessionId)
  writer.int32(session.sessionEpoch)
  writer.unsigned(topics.size + 1)
  for (const [topicId, each] of topics) {
    writer.topicId(topicId)
    writer.unsigned(each.length + 1)
    for (const { partition, offset } of each) {
      writer.int32(partition)
      writer.int32(-1) // leader epoch
      writer.int64(offset)
      writer.int32(-1) // epoch of the last record: for replicas
      writer.int64(-1) // start of the log: for replicas
      writer.int32(limits.partitionBytes)
      writer.noTags()
    }
    writer.noTags()
  }
  writer.unsigned(forgotten.size + 1)
  for (const [topicId, each] of forgotten) {
    writer.topicId(topicId)
    writer.unsigned(each.length + 1)
    for (const { partition } of each) writer.int32(partition)
    writer.noTags()
  }
  writer.compactString('') // rack
  writer.noTags()
  return wireRequest(1, 'Fetch', 13, writer)
}

async function decode(payload: Buffer): Promise<FetchAnswer> {
  const reader = new ByteReader(payload)
  reader.tags() // of the header
  const clientSideThrottleTime = reader.int32()
  const errorCode = reader.int16()
  const sessionId = reader.int32()
  const partitions: FetchedPartition[] = []
  reader.compactArray(() => {
    const topicId = reader.topicId()
    reader.compactArray(() => partitions.push(readPartition(reader, topicId)))
    reader.tags()
  })
  return { clientSideThrottleTime, errorCode, sessionId, partitions }
}

/** How the answer to a fetch is read. */
export const fetchAnswer = { decode }

function readPartition(reader: ByteReader, topicId: string): FetchedPartition {
  const partition = reader.int32()
  const errorCode = reader.int16()
  reader.at += 24 // ends, as replicas and transactions see them, and the start of the log
  const aborted: AbortedTransaction[] = []
  reader.compactArray(() => {
    aborted.push({ producerId: reader.int64(), firstOffset: reader.int64() })
    reader.tags()
  })
  reader.int32() // a nearer replica
  const batches = reader.bytes(Math.max(0, reader.unsigned() - 1))
  reader.tags()
  return {
    topicId,
    partition,
    errorCode,
    read: (from) => readBatches(new ByteReader(batches), from, aborted),
  }
}
