import type { LogEntry } from '../../log.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { batchRoom, writeBatch } from './record-batch.ts'
import { wireRequest, type WireRequest } from './request.ts'

/** What goes to one partition, as one batch. */
export interface PartitionBatch {
  partition: number
  entries: LogEntry[]
}

/** Where each batch lies: `baseOffset` is its first record's. Error codes are Kafka's, 0 for none (codes.ts). */
export interface ProduceAnswer {
  topics: {
    topicName: string
    partitions: { partition: number; errorCode: number; baseOffset: number }[]
  }[]
  clientSideThrottleTime: number
}

/** Produce, version 7, acknowledged by all replicas that are in sync. */
export function produceRequest(
  topics: { topic: string; partitions: PartitionBatch[] }[],
  timeoutMs: number,
): WireRequest {
  let size = 12
  for (const { topic, partitions } of topics) {
    size += topic.length + 6
    for (const { entries } of partitions) size += 8 + batchRoom(entries)
  }
  const writer = new ByteWriter(size)
  writer.int16(-1) // no transaction
  writer.int16(-1) // all replicas
  writer.int32(timeoutMs)
  writer.int32(topics.length)
  for (const { topic, partitions } of topics) {
    writer.string(topic)
    writer.int32(partitions.length)
    for (const { partition, entries } of partitions) {
      writer.int32(partition)
      const lengthAt = writer.at
      writer.int32(0)
      writeBatch(writer, [entries])
      writer.buffer.writeInt32BE(writer.at - lengthAt - 4, lengthAt)
    }
  }
  return wireRequest(0, 'Produce', 7, writer)
}

/** Reads what a broker answers to produceRequest. */
export async function decodeProduce(payload: Buffer): Promise<ProduceAnswer> {
  const reader = new ByteReader(payload)
  const topics: ProduceAnswer['topics'] = []
  reader.array(() => {
    const topicName = reader.string()
    const partitions: ProduceAnswer['topics'][number]['partitions'] = []
    reader.array(() => {
      partitions.push({
        partition: reader.int32(),
        errorCode: reader.int16(),
        baseOffset: reader.int64(),
      })
      reader.at += 16 // time of the append, start of the log
    })
    topics.push({ topicName, partitions })
  })
  return { topics, clientSideThrottleTime: reader.int32() }
}
