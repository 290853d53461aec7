import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Kafka, Partitioners, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { socketFactory } from '../log/kafka/socket-factory.ts'
import { tameTimers } from '../log/kafka/tame-timers.ts'
import { parseKafkaUrl } from '../log/kafka/url.ts'
import type { BenchServices } from './services.ts'
import { atRate } from './stats.ts'
import type { Load } from './stats.ts'

/** Partitions of either topic: as many as the bench has rooms in flight. */
const partitions = 16
const value = Buffer.alloc(300, 'x')

/** What the echoing process is told. */
export interface EchoTask {
  brokers: string[]
  topics: { there: string; back: string }
  /** `mysql:` URL of a database of its own. */
  store: string
}

/** kafkajs as its documentation shows it, without what costs it time on Node 26: nothing of ours is in between. */
export function plainKafka(brokers: string[]): Kafka {
  tameTimers()
  return new Kafka({ clientId: 'echo', brokers, socketFactory: socketFactory(), logLevel: logLevel.ERROR })
}

export function plainProducer(kafka: Kafka): Producer {
  return kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false })
}

/**
 * The floor of a publish: a record to another process through Kafka, one transaction there, a record back. Plain
 * kafkajs producers and consumers, each message sent as it comes. Returns the times of the round trips in ms.
 */
export async function echo(services: BenchServices, { perSecond, warmUpSeconds, seconds }: Load): Promise<number[]> {
  await using place = await services.place()
  const { brokers, prefix } = parseKafkaUrl(place.settings['HOLDFAST_LOG']!)
  const topics = { there: `${prefix}.there`, back: `${prefix}.back` }
  const kafka = plainKafka(brokers)
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    waitForLeaders: true,
    topics: Object.values(topics).map((topic) => ({ topic, numPartitions: partitions })),
  })
  await admin.disconnect()

  const other = fork(new URL('echo-process.ts', import.meta.url), { stdio: 'inherit' })
  other.send({ brokers, topics, store: place.settings['HOLDFAST_STORE']! } satisfies EchoTask)
  const ended = once(other, 'exit').then(() => Promise.reject(new Error('the echoing process ended')))
  await Promise.race([once(other, 'message'), ended])

  const [producer, consumer] = [
    plainProducer(kafka),
    kafka.consumer({ groupId: `${prefix}.back`, maxWaitTimeInMs: 500 }),
  ]
  const sentAt = new Map<number, number>()
  const samples: number[] = []
  const warmUp = perSecond * warmUpSeconds
  const total = perSecond * seconds + warmUp
  const received = Promise.withResolvers<void>()
  let count = 0
  await Promise.all([producer.connect(), consumer.connect()])
  await consumer.subscribe({ topic: topics.back, fromBeginning: true })
  const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve))
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: partitions,
    eachMessage: async ({ message }) => {
      const index = message.value!.readUInt32BE(0)
      if (index >= warmUp) samples.push(performance.now() - sentAt.get(index)!)
      if (++count === total) received.resolve()
    },
  })
  await joined
  await atRate(perSecond, warmUpSeconds + seconds, async (index) => {
    const numbered = Buffer.from(value)
    numbered.writeUInt32BE(index, 0)
    sentAt.set(index, performance.now())
    await producer.send({ topic: topics.there, messages: [{ partition: index % partitions, value: numbered }] })
  })
  await Promise.race([received.promise, ended])
  await Promise.all([producer.disconnect(), consumer.disconnect()])
  const end = once(other, 'exit')
  ended.catch(() => undefined)
  other.kill()
  await end
  return samples
}
