/** The log in a real Kafka keeps the contract. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { openKafkaLog } from '../../log/kafka/kafka-log.ts'
import { logContract } from '../contract/log.ts'

logContract(t, 'kafka', async (t) => {
  const url = `${process.env['HOLDFAST_TEST_LOG']}/test-${randomBytes(6).toString('hex')}`
  return () => {
    const log = openKafkaLog(url)
    t.teardown(() => log.close())
    return log
  }
})
