// Proves on three Kafka brokers and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: any one of
// three brokers may be restarted or killed and traffic flows on; while fewer replicas are in sync than the topics ask
// for (NOT_ENOUGH_REPLICAS), nothing is acknowledged that could be lost, clients wait or are told to try again, and all
// is well soon after. No socket closes and the checker finds nothing.
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { underLoad } from '../harness/processes/under-load.ts'
import { outage } from '../integrity/scenarios/outage.ts'
import { ownKafkaCluster } from '../support/own-server.ts'
import { until } from '../support/until.ts'

/** Brokers that are left go on within this after one was killed. */
const failoverMs = 30_000

const brokers = await ownKafkaCluster(3)
t.teardown(() => Promise.all(brokers.map((broker) => broker[Symbol.asyncDispose]())))
await Promise.all(brokers.map((broker) => broker.start()))
const [{ url }] = brokers as [(typeof brokers)[0]]

/** A topic beside those of the clusters, that asks for as many replicas in sync as there are brokers. */
const probe = 'probe'

const kafka = new Kafka({
  brokers: url.replace('kafka://', '').split(','),
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, retries: 5 },
})

async function makeProbe(): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = [{ name: 'min.insync.replicas', value: String(brokers.length) }]
  await admin.createTopics({ topics: [{ topic: probe, replicationFactor: brokers.length, configEntries }] })
  await admin.disconnect()
}

/** The type of the error with which Kafka refuses a record; empty when it takes it. */
async function refusal(): Promise<string> {
  const producer = kafka.producer()
  try {
    await producer.connect()
    await producer.send({ topic: probe, acks: -1, messages: [{ value: 'probe' }] })
    return ''
  } catch (error) {
    // What gave up retrying has the first reason as its cause.
    const { type, cause } = error as { type?: string; cause?: { type?: string } }
    return type ?? cause?.type ?? String(error)
  } finally {
    await producer.disconnect()
  }
}

void t.test('one of three brokers is enough of a loss to bear', async (t) => {
  const cluster = await startOnServices(t, { log: `${url}/two?replication=3&min_insync=2` })
  await underLoad(t, cluster, 'three-brokers', async (fleet) => {
    for (const [index, broker] of brokers.entries()) {
      await outage(t, cluster, fleet, {
        name: `broker ${index + 1} is restarted`,
        run: async () => {
          await broker.stop()
          await fleet.flows(120, failoverMs)
          await broker.start()
        },
      })
      await outage(t, cluster, fleet, {
        name: `broker ${index + 1} is killed`,
        run: async () => {
          await broker.kill()
          await fleet.flows(120, failoverMs)
          await broker.start()
        },
      })
    }
  })
})

void t.test('too few replicas are in sync', async (t) => {
  await makeProbe()
  const cluster = await startOnServices(t, { log: `${url}/three?replication=3&min_insync=3` })
  await underLoad(t, cluster, 'too-few-replicas', async (fleet) => {
    for (const broker of brokers.slice(0, 2)) {
      await outage(t, cluster, fleet, {
        name: 'a replica is missing',
        run: async () => {
          await broker.kill()
          let answer = ''
          await until(
            'Kafka to refuse records for want of replicas',
            async () => (answer = await refusal()) === 'NOT_ENOUGH_REPLICAS',
            failoverMs,
          ).catch((error: unknown) => {
            throw new Error(`it says "${answer}"`, { cause: error })
          })
          t.pass('Kafka takes no records')
          await broker.start()
        },
      })
    }
  })
})
