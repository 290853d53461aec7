/**
 * Proves on three real brokers, with three copies of each topic and two that must have a record, that one broker may go
 * and everything goes on; that with two gone nothing is acknowledged, and all that was is there when they are back; and
 * that leaders may move under load without a record lost, repeated without a reason or out of order.
 */
import type { Test } from 'tap'
import t from 'tap'
import { kafkaLimitMs } from '../../log/kafka/brokers.ts'
import { Stream } from '../log/kafka/stream.ts'
import { openLog, operator, ToldEvents } from '../log/kafka/tools.ts'
import { ownKafkaCluster } from '../support/own-server.ts'
import { until } from '../support/until.ts'

/** Records flow again within this after brokers went or came back. */
const recoveryMs = 60_000

/** With one copy too few nothing is acknowledged for this long. */
const silentMs = 5_000

// A broker that is gone is given up sooner than in real life.
kafkaLimitMs.request = 3_000

const brokers = await ownKafkaCluster(3)
t.teardown(() => Promise.all(brokers.map((broker) => broker[Symbol.asyncDispose]())))
await Promise.all(brokers.map((broker) => broker.start()))
const url = `${brokers[0]!.url}/three?replication=3&min_insync=2`

async function startStream(t: Test, topic: string): Promise<{ stream: Stream; events: ToldEvents }> {
  const events = new ToldEvents()
  const log = openLog(t, url, events)
  await log.createTopics([{ name: topic, partitions: 6, compacted: false }])
  const stream = new Stream(t, log, openLog(t, url), topic, 6)
  await stream.flows(recoveryMs)
  return { stream, events }
}

void t.test('a topic can be used at once by everybody', async (t) => {
  const [maker, user, reader] = [openLog(t, url), openLog(t, url), openLog(t, url)]
  for (let round = 0; round < 10; round += 1) {
    const name = `new-${round}`
    await maker.createTopics([{ name, partitions: 6, compacted: false }])
    const reading = reader.read(name, 5, 0).next()
    t.same(await user.range(name, 5), { oldest: 0, next: 0 })
    await user.append(name, 5, [{ key: null, value: Buffer.from('x') }])
    t.equal((await reading).length, 1)
  }
})

void t.test('one broker after another is killed and comes back', async (t) => {
  const { stream } = await startStream(t, 'one-gone')
  for (const broker of brokers) {
    await broker.kill()
    await stream.flows(recoveryMs)
    await broker.start()
    await stream.flows(recoveryMs)
  }
  await stream.check(recoveryMs)
})

void t.test('one broker is frozen, and the others go on', async (t) => {
  const { stream } = await startStream(t, 'one-frozen')
  brokers[1]!.freeze()
  await stream.flows(recoveryMs)
  brokers[1]!.thaw()
  await stream.flows(recoveryMs)
  await stream.check(recoveryMs)
})

void t.test('leaders move under load', async (t) => {
  const { stream } = await startStream(t, 'moved')
  const admin = await operator(t, url)
  const leaders = async (): Promise<number[]> => {
    const { topics } = await admin.fetchTopicMetadata({ topics: ['three.moved'] })
    return topics[0]!.partitions.map(({ leader }) => leader)
  }
  for (const [index, broker] of brokers.entries()) {
    // In order: it hands its partitions over.
    await broker.stop()
    await stream.flows(recoveryMs)
    t.notOk((await leaders()).includes(index + 1), `its partitions have other leaders than broker ${index + 1}`)
    await broker.start()
    await stream.flows(recoveryMs)
  }
  await stream.check(recoveryMs)
})

void t.test('with one copy left nothing is acknowledged, and nothing is lost', async (t) => {
  const { stream, events } = await startStream(t, 'two-gone')
  const [first, second] = brokers as [(typeof brokers)[0], (typeof brokers)[0]]
  await Promise.all([first.kill(), second.kill()])
  const failed = stream.failedTries
  await until('appends to be refused', () => stream.failedTries > failed + 6, recoveryMs)
  const acknowledged = stream.acknowledgedCount
  const { promise, resolve } = Promise.withResolvers<void>()
  setTimeout(resolve, silentMs)
  await promise
  t.equal(stream.acknowledgedCount, acknowledged, 'nothing is acknowledged by one broker alone')
  await Promise.all([first.start(), second.start()])
  await stream.flows(recoveryMs)
  await stream.check(recoveryMs)
  t.ok(events.outages.some((outage) => outage.startsWith('away ')))
})

void t.test('a copy that is missing where all are asked for is refused by name', async (t) => {
  const events = new ToldEvents()
  const log = openLog(t, `${brokers[0]!.url}/all?replication=3&min_insync=3`, events)
  await log.createTopics([{ name: 'strict', partitions: 3, compacted: false }])
  const stream = new Stream(t, log, openLog(t, `${brokers[0]!.url}/all`), 'strict', 3)
  await stream.flows(recoveryMs)
  await brokers[2]!.kill()
  await until(
    'NOT_ENOUGH_REPLICAS',
    () => events.errors.some((error) => error.startsWith('append NOT_ENOUGH_REPLICAS')),
    recoveryMs,
  )
  t.ok(events.outages.includes('away appends'), 'and it is told')
  await brokers[2]!.start()
  await stream.flows(recoveryMs)
  await stream.check(recoveryMs)
  t.ok(events.outages.includes('back appends'))
})
