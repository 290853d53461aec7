// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: the network between a
// worker and its database, a worker and Kafka, and a proxy and Kafka may be cut, stand still, be slow, or lose answers
// to requests that took effect. Others take over while it lasts; only the clients of a proxy that was cut off for longer
// than it is told to wait are asked to resume elsewhere; nothing is lost, doubled, made up or out of order; and all is
// well soon after.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { freePort } from '../../compose/services/free-port.ts'
import { disconnects } from '../../protocol/client/codes.ts'
import { startOnServices } from '../harness/processes/on-services.ts'
import { underLoad } from '../harness/processes/under-load.ts'
import { ownKafka } from '../support/own-server.ts'
import { testStore } from '../support/services.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { outage } from './scenarios/outage.ts'

/** A proxy waits for its log this long before it sends its clients away. */
const isolationMs = 6_000

/** How long something is cut, or stands still, that others take over. */
const cutMs = 3_000

/** How long everything is late, and by how much each way. */
const slowMs = 2_000
const lateMs = 50

/** How long answers are lost, and how often. */
const losingMs = 3_000
const losingEveryMs = 250

const local = (port: number): { host: string; port: number } => ({ host: '127.0.0.1', port })

// Kafka tells its clients where to connect: those that come through a TCP proxy have a listener of their own.
const [workerPort, proxyPort] = [await freePort(), await freePort()]
const workerToKafka = await TcpProxy.listen(local(workerPort))
const proxyToKafka = await TcpProxy.listen(local(proxyPort))
const broker = await ownKafka({
  extraListeners: [
    { name: 'WORKER', port: workerPort, advertisedPort: workerToKafka.port },
    { name: 'PROXY', port: proxyPort, advertisedPort: proxyToKafka.port },
  ],
})
const store = await testStore()
const workerToMysql = await TcpProxy.listen(local(Number(new URL(store.url).port)))
t.teardown(async () => {
  await Promise.all([workerToKafka.close(), proxyToKafka.close(), workerToMysql.close()])
  await broker[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
})
await broker.start()

const cluster = await startOnServices(t, {
  log: broker.url,
  store: store.url,
  proxies: 1,
  settings: { HOLDFAST_DEV_WORKERS: '1' },
})
await cluster.keepWorker({
  HOLDFAST_LOG: `kafka://127.0.0.1:${workerToKafka.port}`,
  HOLDFAST_STORE: Object.assign(new URL(store.url), { port: String(workerToMysql.port) }).href,
})
await cluster.keepProxy({
  HOLDFAST_LOG: `kafka://127.0.0.1:${proxyToKafka.port}`,
  HOLDFAST_PROXY_ISOLATION_TIMEOUT: `${isolationMs}ms`,
})
await cluster.settled()

/** Loses the answers to what is under way, again and again. */
async function loseAnswers(...links: TcpProxy[]): Promise<void> {
  for (const end = performance.now() + losingMs; performance.now() < end;) {
    for (const link of links) link.loseNextAnswers()
    await sleep(losingEveryMs)
  }
}

const commitsUnknown = (): Promise<number> => cluster.counter('holdfast_commits_unknown_total')
const recordsDropped = (): Promise<number> => cluster.counter('holdfast_records_duplicate_total')
const eventsDropped = (): Promise<number> => cluster.counter('holdfast_events_dropped_total{reason="duplicate"}')

void t.test('of a worker', async (t) => {
  await underLoad(t, cluster, 'worker-network', async (fleet) => {
    for (const [name, fault] of [
      ['is cut', () => workerToMysql.cut()],
      ['stands still', () => workerToMysql.blackhole()],
    ] as const) {
      await outage(t, cluster, fleet, {
        name: `to the database it ${name}`,
        run: async () => {
          fault()
          await sleep(cutMs)
          await fleet.flows(240)
          workerToMysql.restore()
        },
      })
    }
    await outage(t, cluster, fleet, {
      name: 'to the database it is slow',
      run: async () => {
        workerToMysql.slow(lateMs)
        await sleep(slowMs)
        await fleet.flows(120)
        workerToMysql.restore()
      },
    })
    await outage(t, cluster, fleet, {
      name: 'to the database it loses answers',
      run: async () => {
        const unknown = await commitsUnknown()
        await loseAnswers(workerToMysql)
        workerToMysql.restore()
        const lookedUp = (await commitsUnknown()) - unknown
        t.ok(lookedUp > 0, `the outcome of ${lookedUp} commits had to be looked up`)
      },
    })
    for (const [name, fault] of [
      ['is cut', () => workerToKafka.cut()],
      ['stands still', () => workerToKafka.blackhole()],
    ] as const) {
      await outage(t, cluster, fleet, {
        name: `to Kafka it ${name}`,
        run: async () => {
          fault()
          await sleep(cutMs)
          await fleet.flows(240)
          workerToKafka.restore()
        },
      })
    }
    await outage(t, cluster, fleet, {
      name: 'to Kafka it is slow',
      run: async () => {
        workerToKafka.slow(lateMs)
        await sleep(slowMs)
        await fleet.flows(120)
        workerToKafka.restore()
      },
    })
  })
})

void t.test('of a proxy, and of a proxy and a worker together', async (t) => {
  await underLoad(t, cluster, 'proxy-network', async (fleet) => {
    await outage(t, cluster, fleet, {
      name: 'it stands still for less than the proxy waits',
      run: async () => {
        proxyToKafka.blackhole()
        await sleep(isolationMs / 2)
        proxyToKafka.restore()
      },
    })
    await outage(t, cluster, fleet, {
      name: 'it is slow',
      run: async () => {
        proxyToKafka.slow(lateMs)
        await sleep(slowMs)
        await fleet.flows(120)
        proxyToKafka.restore()
      },
    })
    await outage(t, cluster, fleet, {
      name: 'answers of Kafka come too late',
      run: async () => {
        for (const link of [workerToKafka, proxyToKafka]) link.blackhole('answers')
        await sleep(cutMs)
        for (const link of [workerToKafka, proxyToKafka]) link.restore()
      },
    })
    const [records, events] = [await recordsDropped(), await eventsDropped()]
    await outage(t, cluster, fleet, {
      name: 'answers of Kafka are lost',
      run: async () => {
        await loseAnswers(workerToKafka, proxyToKafka)
        for (const link of [workerToKafka, proxyToKafka]) link.restore()
      },
    })
    const [again, seen] = [(await recordsDropped()) - records, (await eventsDropped()) - events]
    t.ok(again > 0, `${again} commands reached the log twice and were dropped`)
    t.ok(seen > 0, `${seen} events reached an inbox twice and were dropped`)
    // Its clients stay with the other one.
    await outage(t, cluster, fleet, {
      name: 'it is cut until the proxy gives up',
      codes: [disconnects.forceReconnect.code],
      run: async () => {
        proxyToKafka.cut()
        await sleep(isolationMs)
        const resumed = (): number => fleet.operations.filter(({ kind }) => kind === 'opened').length
        const before = resumed()
        await fleet.flows(120)
        await fleet.connected()
        t.ok(resumed() > before, 'its clients are at the other one')
        proxyToKafka.restore()
      },
    })
  })
})
