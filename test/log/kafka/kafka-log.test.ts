/** Proves that the log in a real Kafka keeps the contract. */
import t from 'tap'
import { openKafkaLog } from '../../../log/kafka/kafka-log.ts'
import { testLog } from '../../support/services.ts'
import { logContract } from '../contract.ts'

logContract(t, 'kafka', async (t) => {
  const topics = testLog()
  t.teardown(() => topics[Symbol.asyncDispose]())
  return () => {
    const log = openKafkaLog(topics.url)
    t.teardown(() => log.close())
    return log
  }
})
