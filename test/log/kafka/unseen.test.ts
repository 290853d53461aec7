/** Proves what a reader does about things that no error tells it of: a topic made anew, and control records. */
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { fetchWaitMs } from '../../../log/kafka/fetch-loop.ts'
import { parseKafkaUrl } from '../../../log/kafka/url.ts'
import { testLog } from '../../support/services.ts'
import { entries, numbers, numbersOf, openLog, take, ToldEvents } from './tools.ts'

const topics = testLog()
t.teardown(() => topics[Symbol.asyncDispose]())

void t.test('a topic that was made again while the process was frozen is not taken for the old one', async (t) => {
  const log = openLog(t, topics.url)
  await log.createTopics([{ name: 'anew', partitions: 1, compacted: false }])
  await log.append('anew', 0, entries(0, 10))
  const reader = log.read('anew', 0, 0)
  t.same(numbersOf(await take(reader, 10)), numbers(0, 10))
  // Nothing runs here meanwhile, as if frozen: the fetch under way is answered, without an error, before it happens.
  const script = fileURLToPath(new URL('made-anew-process.ts', import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, [script, topics.url], { encoding: 'utf8' })
  t.equal(status, 0, stderr)
  await t.rejects(reader.next(), { code: 'out_of_range' })
})

void t.test('the ends of transactions are passed over once, and what was aborted is not read', async (t) => {
  const told = new ToldEvents()
  const log = openLog(t, topics.url, told)
  await log.createTopics([{ name: 'transactions', partitions: 1, compacted: false }])
  const { brokers, prefix } = parseKafkaUrl(topics.url)
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ transactionalId: prefix, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const [value, end] of [
    ['1', 'abort'],
    ['2', 'commit'],
  ] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic: `${prefix}.transactions`, messages: [{ value }] })
    await transaction[end]()
  }
  await producer.disconnect()
  const reader = log.read('transactions', 0, 0)
  t.same(numbersOf(await take(reader, 1)), [2])
  const before = told.count('read')
  const silences = 5
  await sleep(silences * fetchWaitMs)
  t.ok(told.count('read') - before <= silences + 2, `${told.count('read') - before} fetches in silence`)
  await log.append('transactions', 0, entries(3, 1))
  t.same(numbersOf(await take(reader, 1)), [3])
})
