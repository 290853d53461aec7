import { ByteReader, ByteWriter } from './bytes.ts'
import { wireRequest, type WireRequest } from './request.ts'

/** As kafkajs names its parts, for it keeps its list of brokers by them. */
export interface MetadataAnswer {
  clientSideThrottleTime: number
  brokers: { nodeId: number; host: string; port: number; rack: string | null }[]
  clusterId: string
  controllerId: number
  topicMetadata: TopicMetadata[]
}

/** Of one topic; error codes are Kafka's, 0 for none (codes.ts). */
export interface TopicMetadata {
  topicErrorCode: number
  topic: string
  /** In hexadecimal; another one after the topic was deleted and made again. */
  topicId: string
  /** A leader is -1 where there is none. */
  partitionMetadata: { partitionErrorCode: number; partitionId: number; leader: number }[]
}

const noId = '0'.repeat(32)

/** Metadata, version 10 (Kafka 2.8): the first that tells the ids of topics. Makes no topic. */
export function metadataRequest(topics: string[]): WireRequest {
  const size = topics.reduce((sum, topic) => sum + 22 + topic.length, 10)
  const writer = new ByteWriter(size)
  writer.noTags() // of the header
  writer.unsigned(topics.length + 1)
  for (const topic of topics) {
    writer.topicId(noId)
    writer.compactString(topic)
    writer.noTags()
  }
  writer.int8(0) // make no topics
  writer.int8(0) // no rights asked for
  writer.int8(0)
  writer.noTags()
  return wireRequest(3, 'Metadata', 10, writer)
}

/** Reads what a broker answers to metadataRequest. */
export async function decodeMetadata(payload: Buffer): Promise<MetadataAnswer> {
  const reader = new ByteReader(payload)
  reader.tags() // of the header
  const clientSideThrottleTime = reader.int32()
  const brokers: MetadataAnswer['brokers'] = []
  reader.compactArray(() => {
    const broker = { nodeId: reader.int32(), host: reader.compactString(), port: reader.int32() }
    const rack = reader.compactString()
    // kafkajs makes its connections anew when this changes: null as it says it where there is none.
    brokers.push({ ...broker, rack: rack === '' ? null : rack })
    reader.tags()
  })
  const clusterId = reader.compactString()
  const controllerId = reader.int32()
  const topicMetadata: TopicMetadata[] = []
  reader.compactArray(() => topicMetadata.push(readTopic(reader)))
  return { clientSideThrottleTime, brokers, clusterId, controllerId, topicMetadata }
}

function readTopic(reader: ByteReader): TopicMetadata {
  const topicErrorCode = reader.int16()
  const topic = reader.compactString()
  const topicId = reader.topicId()
  reader.int8() // of Kafka's own
  const partitionMetadata: TopicMetadata['partitionMetadata'] = []
  reader.compactArray(() => {
    partitionMetadata.push({
      partitionErrorCode: reader.int16(),
      partitionId: reader.int32(),
      leader: reader.int32(),
    })
    reader.int32() // leader epoch
    // Replicas, those in sync, those offline.
    for (let lists = 3; lists > 0; lists -= 1) reader.compactArray(() => reader.int32())
    reader.tags()
  })
  reader.int32() // rights
  reader.tags()
  return { topicErrorCode, topic, topicId, partitionMetadata }
}
