/** Proves that the log in a real Kafka keeps the contract. */
import t from 'tap'
import { testLog } from '../../support/services.ts'
import { logContract } from '../contract.ts'
import { openLog } from './tools.ts'

logContract(t, 'kafka', async (t) => {
  const topics = testLog()
  t.teardown(() => topics[Symbol.asyncDispose]())
  return () => openLog(t, topics.url)
})
