import deleteRequest from 'kafkajs/src/protocol/requests/deleteRecords/v0/request.js'
import deleteResponse from 'kafkajs/src/protocol/requests/deleteRecords/v0/response.js'
import { kafkaLimitMs } from './brokers.ts'
import type { Brokers } from './brokers.ts'
import { kafkaCodes } from './wire/codes.ts'

/** Removes the records of a partition before an offset. Kafka frees the disk segment by segment. */
export async function deleteRecords(
  brokers: Brokers,
  { topic, partition, before }: { topic: string; partition: number; before: number },
): Promise<void> {
  const node = await brokers.leader(topic, partition)
  const request = deleteRequest({
    topics: [{ topic, partitions: [{ partition, offset: String(before) }] }],
    timeout: kafkaLimitMs.request,
  })
  const { topics } = await brokers.send(node, 'trim', { request, decode: deleteResponse({ topics: [] }).decode })
  const code = topics[0]?.partitions[0]?.errorCode ?? kafkaCodes.none
  if (code !== kafkaCodes.none) throw brokers.refused('trim', topic, partition, code)
}
