import deleteRequest from 'kafkajs/src/protocol/requests/deleteRecords/v0/request.js'
import deleteResponse from 'kafkajs/src/protocol/requests/deleteRecords/v0/response.js'
import type { DeletionAnswer } from 'kafkajs/src/protocol/requests/deleteRecords/v0/response.js'
import { kafkaLimitMs } from './brokers.ts'
import type { Brokers } from './brokers.ts'
import { failureOf, failureOfCode, kafkaCodes } from './failure.ts'

/** Removes the records of a partition before an offset. Kafka frees the disk segment by segment. */
export async function deleteRecords(
  brokers: Brokers,
  { topic, partition, before }: { topic: string; partition: number; before: number },
): Promise<void> {
  const what = `trim of ${topic}/${partition}`
  const node = await brokers.leader(topic, partition)
  const broker = await brokers.broker(node)
  const request = deleteRequest({
    topics: [{ topic, partitions: [{ partition, offset: String(before) }] }],
    timeout: kafkaLimitMs.request,
  })
  const response = { decode: deleteResponse({ topics: [] }).decode, parse: (answer: DeletionAnswer) => answer }
  let code: number
  try {
    const { topics } = await broker.connectionPool.send({ request, response, logResponseError: false })
    code = topics[0]?.partitions[0]?.errorCode ?? kafkaCodes.none
  } catch (error) {
    await brokers.drop(node)
    throw failureOf(error, what)
  }
  if (code === kafkaCodes.none) return
  brokers.forget(topic)
  throw failureOfCode(code, what)
}
