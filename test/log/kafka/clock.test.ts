import { createServer, type AddressInfo, type Socket } from 'node:net'
/**
 * Proves that the adapter goes by time that only goes forward, whatever the time of day is set to: who is silent is given
 * up in time, what is under way goes on, a throttled broker is asked again, and records are taken that were sent by a
 * clock that is wrong.
 */
import kafkajs from 'kafkajs'
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'
import t from 'tap'
import { kafkaLimitMs } from '../../../log/kafka/brokers.ts'
import { tameTimers } from '../../../log/kafka/tame-timers.ts'
import { parseKafkaUrl } from '../../../log/kafka/url.ts'
import { testLog } from '../../support/services.ts'
import { until } from '../../support/until.ts'
import { ToldEvents, entry, openLog, operator } from './tools.ts'

const dayMs = 86_400_000
const realNow = Date.now

/** The time of day, as whoever asks from now on sees it. */
function setClock(aheadMs: number): void {
  Date.now = () => realNow() + aheadMs
}

t.afterEach(() => {
  Date.now = realNow
})

const topics = testLog()
t.teardown(() => topics[Symbol.asyncDispose]())

void t.test('a silent broker is given up although the clock goes back', async (t) => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => {
    sockets.push(socket)
    // Once it has the request.
    socket.once('data', () => setClock(-dayMs))
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const limitMs = kafkaLimitMs.request
  kafkaLimitMs.request = 500
  t.teardown(() => {
    kafkaLimitMs.request = limitMs
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const { port } = silent.address() as AddressInfo
  await t.rejects(openLog(t, `kafka://127.0.0.1:${port}/`).append('any', 0, [entry('x')]), { code: 'unavailable' })
})

void t.test('what is under way goes on, and records are taken, whatever the clock says', async (t) => {
  const events = new ToldEvents()
  const log = openLog(t, topics.url, events)
  await log.createTopics([
    { name: 'jumps', partitions: 1, compacted: false },
    { name: 'hints', partitions: 1, compacted: true },
  ])
  // As topics are that an earlier version made, or a person.
  const admin = await operator(t, topics.url)
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: `${parseKafkaUrl(topics.url).prefix}.hints`,
        configEntries: [
          { name: 'cleanup.policy', value: 'compact' },
          { name: 'message.timestamp.type', value: 'CreateTime' },
        ],
      },
    ],
  })
  const reader = log.read('jumps', 0, 0)
  let expected = 0
  for (const ahead of [0, dayMs, -dayMs, 40 * 365 * dayMs, -30 * 365 * dayMs]) {
    setClock(ahead)
    t.equal(await log.append('jumps', 0, [entry(`at ${ahead}`)]), expected++)
    t.equal((await reader.next()).at(-1)?.value.toString(), `at ${ahead}`)
    t.type(await log.append('hints', 0, [{ key: Buffer.from('key'), value: Buffer.from(`at ${ahead}`) }]), 'number')
  }
  t.same(
    events.requests.filter(({ isAnswered }) => !isAnswered),
    [],
    'no request was given up',
  )
})

void t.test('a throttled queue goes on when its time is over, though the clock goes back', async (t) => {
  tameTimers()
  const queue = new RequestQueue({
    instrumentationEmitter: null,
    maxInFlightRequests: null,
    requestTimeout: 1_000,
    enforceRequestTimeout: true,
    clientId: '',
    broker: '',
    logger: { debug() {} },
    isConnected: () => true,
  })
  t.teardown(() => queue.destroy())
  queue.maybeThrottle(20)
  t.notOk(queue.canSendSocketRequestImmediately())
  setClock(-dayMs)
  await until('the queue to go on', () => queue.canSendSocketRequestImmediately())
})
