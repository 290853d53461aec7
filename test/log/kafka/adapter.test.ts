/**
 * Proves what the Kafka adapter promises beyond the contract: appends of many partitions share a request and fail apart,
 * readers do not hold up each other, fetch sessions may be lost at any time, nothing runs while nothing happens, and
 * Kafka's tools see how far we are.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { Socket, connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import kafkajs from 'kafkajs'
import t from 'tap'
import { LogError } from '../../../log/errors.ts'
import { fetchBytesMax } from '../../../log/kafka/fetch-loop.ts'
import { parseKafkaUrl } from '../../../log/kafka/url.ts'
import { fetchAnswer } from '../../../log/kafka/wire/fetch.ts'
import { readBufferBytesMax } from '../../../log/log.ts'
import { testLog } from '../../support/services.ts'
import { until } from '../../support/until.ts'
import { entries, entry, numbers, numbersOf, openLog, operator, take, ToldEvents } from './tools.ts'

const run = promisify(execFile)
const topics = testLog()
t.teardown(() => topics[Symbol.asyncDispose]())

const plain = (name: string, partitions: number) => ({ name, partitions, compacted: false })

void t.test('a broker that is found at an IPv6 address', async (t) => {
  const [broker = ''] = parseKafkaUrl(topics.url).brokers
  const [host, port] = [broker.replace(/:\d+$/, ''), Number(/\d+$/.exec(broker))]
  const relay = createServer((socket) => {
    socket.on('error', () => {})
    const target = connect({ host, port })
    target.on('error', () => socket.destroy())
    socket.pipe(target).pipe(socket)
  })
  const listening = once(relay.listen(0, '::1'), 'listening').catch((error: NodeJS.ErrnoException) => error.code)
  const refusal = await listening
  if (refusal === 'EAFNOSUPPORT' || refusal === 'EADDRNOTAVAIL') return void t.pass('a machine without IPv6')
  t.teardown(() => relay.close())
  const { port: relayPort } = relay.address() as AddressInfo
  const log = openLog(t, topics.url.replace(broker, `[::1]:${relayPort}`))
  await log.createTopics([plain('v6', 1)])
  t.equal(await log.append('v6', 0, [entry('x')]), 0)
})

void t.test('appends of many partitions share a request', async (t) => {
  const events = new ToldEvents()
  const log = openLog(t, topics.url, events)
  await log.createTopics([plain('many', 64)])
  await log.append('many', 0, [entry('so that the leaders are known')])
  events.appends.length = 0
  const append = () => Promise.all(numbers(0, 64).map((partition) => log.append('many', partition, [entry('x')])))
  const meanwhile = Promise.withResolvers<number[]>()
  events.onGathered = () => {
    events.onGathered = () => {}
    append().then(meanwhile.resolve, meanwhile.reject)
  }
  const first = await append()
  const second = await meanwhile.promise
  t.same(first, [1, ...Array<number>(63).fill(0)])
  t.same(
    second,
    first.map((offset) => offset + 1),
  )
  t.same(events.appends, [64, 64], 'what comes while a request is under way goes in the next')
})

void t.test('under load an append waits for others, one that comes after a pause does not', async (t) => {
  const events = new ToldEvents()
  // Long enough that nothing in between comes too late.
  const log = openLog(t, topics.url, events, 2_000)
  await log.createTopics([plain('gathered', 4)])
  await log.append('gathered', 0, entries(0, 500))
  events.appends.length = 0
  const turn = log.turn('gathered', 3).then(() => log.append('gathered', 3, [entry('at the last moment')]))
  const first = log.append('gathered', 1, [entry('a')])
  await log.range('gathered', 0)
  const second = log.append('gathered', 2, [entry('b')])
  t.same(events.appends, [], 'the round trip between them is none that appends make')
  t.same(await Promise.all([first, second, turn]), [0, 0, 0])
  t.same(events.appends, [3])
  // What the last request carried is little: hardly a wait.
  const start = performance.now()
  await log.append('gathered', 0, [entry('c')])
  t.ok(performance.now() - start < 1_000)
})

void t.test('appends that a topic refuses together show apart which of them it can never take', async (t) => {
  const events = new ToldEvents()
  const log = openLog(t, topics.url, events)
  await log.createTopics([plain('narrow', 1)])
  const admin = await operator(t, topics.url)
  const name = `${topics.prefix}.narrow`
  const bound = { name: 'max.message.bytes', value: '10000' }
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name, configEntries: [bound] }],
  })
  const sized = (bytes: number) => [{ key: null, value: Buffer.alloc(bytes) }]
  const refused = { code: 'too_large' }
  await until('the bound to be in force', () =>
    log.append('narrow', 0, sized(20_000)).then(
      () => false,
      (error: unknown) => error instanceof LogError && error.code === 'too_large',
    ),
  )
  const { next } = await log.range('narrow', 0)
  events.appends.length = 0
  const outcomes = await Promise.allSettled(
    [4_000, 20_000, 4_000, 4_000].map((bytes) => log.append('narrow', 0, sized(bytes))),
  )
  t.equal(events.appends[0], 4, 'they went together')
  t.match(outcomes, [
    { status: 'fulfilled' },
    { status: 'rejected', reason: refused },
    { status: 'fulfilled' },
    { status: 'fulfilled' },
  ])
  t.same((await log.range('narrow', 0)).next, next + 3)
  t.same(events.outages, [], 'nobody is away')
})

void t.test('a partition that fails does not trouble the others of its request', async (t) => {
  const events = new ToldEvents()
  const log = openLog(t, topics.url, events)
  await log.createTopics([plain('good', 2), plain('doomed', 1)])
  await Promise.all([log.append('good', 0, [entry('a')]), log.append('doomed', 0, [entry('a')])])
  const admin = await operator(t, topics.url)
  await admin.deleteTopics({ topics: [`${topics.prefix}.doomed`] })
  await until('the topic to be gone', async () => !(await admin.listTopics()).includes(`${topics.prefix}.doomed`))
  events.appends.length = 0
  const [good, doomed, other] = await Promise.allSettled([
    log.append('good', 0, [entry('b')]),
    log.append('doomed', 0, [entry('b')]),
    log.append('good', 1, [entry('b')]),
  ])
  t.same(events.appends, [3], 'one request')
  t.same(
    [good, other],
    [
      { status: 'fulfilled', value: 1 },
      { status: 'fulfilled', value: 0 },
    ],
  )
  t.match(doomed, { status: 'rejected', reason: { name: 'LogError', code: 'unknown_topic' } })
  t.match(events.errors, ['append UNKNOWN_TOPIC_OR_PARTITION'])
})

void t.test('a reader that is not read holds up nobody, and loses nothing', async (t) => {
  const events = new ToldEvents()
  const log = openLog(t, topics.url, events)
  await log.createTopics([plain('slow', 1), plain('quick', 1)])
  const count = 14
  const large = (index: number) => ({ key: null, value: Buffer.alloc(900 * 1024, index) })
  const slow = log.read('slow', 0, 0)
  const quick = log.read('quick', 0, 0)
  for (const index of numbers(0, count)) await log.append('slow', 0, [large(index)])
  await until('the slow reader to be full', () => events.bufferedBytes >= readBufferBytesMax, 20_000)
  for (const index of numbers(0, 20)) {
    await log.append('quick', 0, [entry(index)])
    t.same(numbersOf(await quick.next()), [index])
  }
  t.ok(events.bufferedBytesMax < readBufferBytesMax + 2 * fetchBytesMax.partition, 'what is held ready is bounded')
  const records = await take(slow, count)
  t.same(
    records.map(({ value }) => value[0]),
    numbers(0, count),
  )
  await log.append('slow', 0, [entry('more')])
  t.equal((await slow.next())[0]?.value.toString(), 'more')
  t.equal(events.bufferedBytes, 0)
})

void t.test('a reader that begins does not wait for the fetch that is under way', async (t) => {
  const events = new ToldEvents()
  const log = openLog(t, topics.url, events)
  await log.createTopics([plain('begin', 2)])
  await log.append('begin', 1, [entry(1)])
  log.read('begin', 0, 0)
  await until('a fetch without an end', () => events.count('read') > 0)
  let besides = 0
  for (let tries = 0; tries < 10; tries += 1) {
    const before = events.count('read')
    const reader = log.read('begin', 1, 0)
    t.same(numbersOf(await reader.next()), [1])
    if (events.count('read') === before) besides += 1
    reader.close()
  }
  t.ok(besides > 0, `${besides} of 10 had their record before the fetch was answered`)
  t.ok(events.count('first_read') >= besides)
})

void t.test('nor does it for what comes before the next fetch', async (t) => {
  const events = new ToldEvents()
  const log = openLog(t, topics.url, events)
  await log.createTopics([plain('begins', 2)])
  await log.append('begins', 1, entries(0, 1))
  log.read('begins', 0, 0)
  await until('a fetch without an end', () => events.count('read') > 0)
  let besides = 0
  for (let tries = 1; tries <= 10; tries += 1) {
    const before = events.count('read')
    const reader = log.read('begins', 1, tries)
    await log.append('begins', 1, [entry(tries)])
    t.same(numbersOf(await reader.next()), [tries])
    if (events.count('read') === before) besides += 1
    reader.close()
  }
  t.ok(besides > 0, `${besides} of 10 had their record before the fetch was answered`)
})

void t.test('readers of one partition at different places get everything once', async (t) => {
  const log = openLog(t, topics.url)
  await log.createTopics([plain('places', 1)])
  await log.append('places', 0, entries(0, 100))
  const places = [0, 10, 50, 99, 100]
  const reading = places.map(async (place) => numbersOf(await take(log.read('places', 0, place), 300 - place)))
  for (let first = 100; first < 300; first += 10) await log.append('places', 0, entries(first, 10))
  const seen = await Promise.all(reading)
  places.forEach((place, index) => t.same(seen[index], numbers(place, 300 - place), `from ${place}`))
})

void t.test('a fetch session that the broker has forgotten costs no record', async (t) => {
  const log = openLog(t, topics.url)
  await log.createTopics([plain('session', 2)])
  const { decode } = fetchAnswer
  t.teardown(() => Object.assign(fetchAnswer, { decode }))
  let [answers, lost] = [0, 0]
  fetchAnswer.decode = async (data) => {
    const answer = await decode(data)
    answers += 1
    if (answer.partitions.length === 0 || answers % 3 !== 0) return answer
    lost += 1
    return { clientSideThrottleTime: 0, errorCode: lost % 2 === 0 ? 70 : 71, sessionId: 0, partitions: [] }
  }
  const reading = [0, 1].map(async (partition) => numbersOf(await take(log.read('session', partition, 0), 200)))
  for (let first = 0; first < 200; first += 5)
    await Promise.all([0, 1].map((partition) => log.append('session', partition, entries(first, 5))))
  for (const seen of await Promise.all(reading)) t.same(seen, numbers(0, 200))
  t.ok(lost > 1, `${lost} answers were that the session is gone`)
})

void t.test('a process that does nothing costs nothing', async (t) => {
  await openLog(t, topics.url).createTopics([plain('idle', 1)])
  const { stdout } = await run(process.execPath, [
    fileURLToPath(new URL('idle-process.ts', import.meta.url)),
    topics.url,
  ])
  const { cpu, warnings } = JSON.parse(stdout) as { cpu: number; warnings: string[] }
  t.same(warnings, [], 'no timer of kafkajs is negative')
  t.ok(cpu < 0.05, `${(cpu * 100).toFixed(1)} % of a core`)
})

void t.test('another kafkajs than the known one is refused', async (t) => {
  const parts = [
    {
      file: 'requestQueue/index.js',
      method: 'scheduleCheckPendingRequests',
      ours: 'tame-timers.ts',
      tame: 'tameTimers',
    },
    { file: 'connection.js', method: 'connect', ours: 'tame-connections.ts', tame: 'tameConnections' },
  ]
  const cwd = fileURLToPath(new URL('../../..', import.meta.url))
  for (const { file, method, ours, tame } of parts) {
    const program = `
      const { default: Known } = await import('kafkajs/src/network/${file}')
      delete Known.prototype.${method}
      const { ${tame} } = await import('./log/kafka/${ours}')
      ${tame}()`
    const error = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd }).catch(String)
    t.match(error, /kafkajs is not the version that is known/)
  }
})

void t.test('small requests leave at once', async (t) => {
  const set = t.capture(Socket.prototype, 'setNoDelay', Socket.prototype.setNoDelay)
  const log = openLog(t, topics.url)
  await log.createTopics([plain('delay', 1)])
  await log.append('delay', 0, [entry(1)])
  await log.read('delay', 0, 0).next()
  const calls = set()
  t.ok(calls.length >= 2, 'for appends and for reads')
  t.ok(calls.every(({ args }) => args[0] !== false))
})

void t.test("Kafka's tools see how far we are", async (t) => {
  const log = openLog(t, topics.url)
  await log.createTopics([plain('lag', 2)])
  const topic = `${topics.prefix}.lag`
  const admin = await operator(t, topics.url)
  log.noteProgress('lag', 0, 7)
  log.noteProgress('lag', 0, 12)
  log.noteProgress('lag', 1, 3)
  const offsets = await until(
    'the offsets to be committed',
    async () => {
      const [found] = await admin.fetchOffsets({ groupId: topic, topics: [topic] })
      return found?.partitions.every(({ offset }) => offset !== '-1') && found.partitions
    },
    20_000,
  )
  const sorted = offsets
    .map(({ partition, offset }) => [partition, offset] as const)
    .sort(([one], [other]) => one - other)
  t.same(sorted, [
    [0, '12'],
    [1, '3'],
  ])
  await admin.deleteGroups([topic])
})
