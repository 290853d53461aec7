/**
 * Proves that no fault of a broker loses, repeats or reorders what was acknowledged: restarted, killed, frozen, cut in the
 * middle of an answer; and that a topic which is not what it was (made anew, cut below a reader) is never read as if it
 * were.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import t from 'tap'
import { freePort } from '../../../compose/services/free-port.ts'
import { kafkaLimitMs } from '../../../log/kafka/brokers.ts'
import { ownKafka } from '../../support/own-server.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'
import { Stream } from './stream.ts'
import { entries, numbers, numbersOf, openLog, operator, take, ToldEvents } from './tools.ts'

/** Records flow again within this after a broker is back. */
const recoveryMs = 20_000

// A broker that is frozen is given up sooner than in real life.
kafkaLimitMs.request = 2_000

const behind = await freePort()
const proxy = await TcpProxy.listen({ host: '127.0.0.1', port: behind })
const broker = await ownKafka({ extraListeners: [{ name: 'THROUGH', port: behind, advertisedPort: proxy.port }] })
t.teardown(async () => {
  await broker[Symbol.asyncDispose]()
  await proxy.close()
})
await broker.start()

async function underFault(t: Test, topic: string, fault: () => Promise<void>): Promise<ToldEvents> {
  const events = new ToldEvents()
  const log = openLog(t, broker.url, events)
  await log.createTopics([{ name: topic, partitions: 4, compacted: false }])
  const stream = new Stream(t, log, openLog(t, broker.url), topic, 4)
  await stream.flows(recoveryMs)
  await fault()
  await stream.flows(recoveryMs)
  await stream.check(recoveryMs)
  return events
}

/** An outage is told when it begins and when it is over, and not for each try. What of it is met first is chance. */
function toldOnce(t: Test, { outages }: ToldEvents): void {
  const away = outages.flatMap((each) => (each.startsWith('away ') ? [each.slice('away '.length)] : []))
  t.ok(away.length > 0, `it is told that there is no answer from ${away.join(', ')}`)
  t.equal(new Set(away).size, away.length, 'once of each')
  t.same(
    outages.filter((each) => each.startsWith('back ')).sort(),
    away.map((what) => `back ${what}`).sort(),
    'and that each is back',
  )
}

void t.test('a broker is restarted in order', async (t) => {
  const events = await underFault(t, 'restarted', async () => {
    await broker.stop()
    await broker.start()
  })
  toldOnce(t, events)
})

void t.test('a broker is killed and comes back', async (t) => {
  const events = await underFault(t, 'killed', async () => {
    await broker.kill()
    await broker.start()
  })
  toldOnce(t, events)
})

void t.test('a broker is frozen for longer than a request may take', async (t) => {
  const events = await underFault(t, 'frozen', async () => {
    broker.freeze()
    const { promise, resolve } = Promise.withResolvers<void>()
    setTimeout(resolve, 2 * kafkaLimitMs.request)
    await promise
    broker.thaw()
  })
  t.ok(
    events.errors.some((error) => error.includes('Timeout')),
    'requests were given up',
  )
  toldOnce(t, events)
})

void t.test('the connection is cut in the middle of an answer', async (t) => {
  const through = `kafka://127.0.0.1:${proxy.port}`
  const writer = openLog(t, broker.url)
  await writer.createTopics([{ name: 'cut', partitions: 1, compacted: false }])
  const log = openLog(t, through)
  const reader = log.read('cut', 0, 0)
  const count = 6
  const reading = take(reader, count)
  for (const index of numbers(0, count)) {
    const before = proxy.counts.answerBytes
    proxy.slow(0, 2_000_000)
    await writer.append('cut', 0, [{ key: null, value: Buffer.alloc(900_000, index) }])
    await until('a part of the answer', () => proxy.counts.answerBytes > before + 200_000)
    proxy.cut()
    proxy.restore()
  }
  t.same(
    (await reading).map(({ offset, value }) => [offset, value[0], value.length]),
    numbers(0, count).map((index) => [index, index, 900_000]),
  )
})

/** A reader that has read ten records of a topic, before the topic is made anew with so many. */
async function madeAnew(t: Test, topic: string, count: number): Promise<void> {
  const admin = await operator(t, broker.url)
  const log = openLog(t, broker.url)
  const other = openLog(t, broker.url)
  const spec = { name: topic, partitions: 1, compacted: false }
  await log.createTopics([spec])
  await log.append(topic, 0, entries(0, 10))
  const reader = log.read(topic, 0, 0)
  t.same(numbersOf(await take(reader, 10)), numbers(0, 10))
  const next = reader.next()
  next.catch(() => undefined)
  await admin.deleteTopics({ topics: [topic] })
  await until('no topic', async () => !(await admin.listTopics()).includes(topic))
  await other.createTopics([spec])
  await other.append(topic, 0, entries(1_000, count))
  await t.rejects(next, { name: 'LogError', code: 'out_of_range' })
}

void t.test('a topic that is made anew with less than was read is noticed', (t) => madeAnew(t, 'anew-less', 3))

void t.test('a topic that is made anew with more than was read is noticed', (t) => madeAnew(t, 'anew-more', 30))

void t.test('a topic that is made anew with as much as was read is noticed', (t) => madeAnew(t, 'anew-same', 10))

void t.test('records that are deleted before they were read are missed loudly', async (t) => {
  const admin = await operator(t, broker.url)
  const log = openLog(t, broker.url)
  await log.createTopics([{ name: 'removed', partitions: 2, compacted: false }])
  await Promise.all([0, 1].map((partition) => log.append('removed', partition, entries(0, 10))))
  const intact = log.read('removed', 1, 0)
  t.same(numbersOf(await take(intact, 10)), numbers(0, 10))
  // Without it kafkajs does not know the topic.
  await admin.fetchTopicOffsets('removed')
  await admin.deleteTopicRecords({
    topic: 'removed',
    partitions: [0, 1].map((partition) => ({ partition, offset: '5' })),
  })
  await t.rejects(log.read('removed', 0, 4).next(), { code: 'out_of_range', message: /offset 4 .* 5 to 10/ })
  t.same(numbersOf(await log.read('removed', 0, 5).next()), numbers(5, 5))
  await log.append('removed', 1, entries(10, 1))
  t.same(numbersOf(await intact.next()), [10], 'whoever was past them goes on')
})

void t.test('a log is closed while its broker does not answer', async (t) => {
  await openLog(t, broker.url).createTopics([{ name: 'closing', partitions: 1, compacted: false }])
  for (const fault of ['frozen', 'killed']) {
    const child = spawn(process.execPath, [fileURLToPath(new URL('close-process.ts', import.meta.url)), broker.url], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    t.equal((await lines.next()).value, 'ready')
    if (fault === 'frozen') broker.freeze()
    else await broker.kill()
    const ended = once(child, 'exit')
    child.stdin.end()
    const told = await lines.next()
    const { ms, outcomes } = JSON.parse(String(told.value)) as { ms: number; outcomes: string[] }
    const closed = performance.now()
    t.ok(ms < 1_000, `${fault}: closed within ${ms.toFixed(0)} ms`)
    t.same(outcomes, ['rejected', 'rejected', 'rejected'], 'what was under way is over')
    t.same(await ended, [0, null])
    t.ok(performance.now() - closed < 2_000, 'the process ends')
    if (fault === 'frozen') broker.thaw()
  }
})
