import { Kafka, logLevel } from 'kafkajs'
import type { Admin, KafkaConfig, Logger } from 'kafkajs'
import Cluster from 'kafkajs/src/cluster/index.js'
import type { Broker } from 'kafkajs/src/cluster/index.js'
import { LogError } from '../log.ts'
import { failureOf } from './failure.ts'
import { socketFactory } from './socket-factory.ts'
import { tameTimers } from './tame-timers.ts'

/** Time to connect, and time in which any request must be answered; then its connection is given up. */
export const kafkaLimitMs = { connect: 3_000, request: 10_000 }

/** Above us a request is tried again as often as it takes, with pauses of its own. */
const noRetry = { retries: 0, initialRetryTime: 10, maxRetryTime: 10 }

/** The brokers of a Kafka cluster, and who of them leads which partition. */
export class Brokers {
  readonly #cluster: Cluster
  readonly #kafka: Kafka
  #admin: Promise<Admin> | null = null
  readonly #leaders = new Map<string, Map<number, number>>()
  readonly #refreshing = new Map<string, Promise<void>>()
  /** kafkajs keeps one answer at a time. */
  #turn: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(config: Pick<KafkaConfig, 'brokers' | 'ssl' | 'sasl'>) {
    tameTimers()
    const shared = {
      ...config,
      clientId: 'holdfast',
      socketFactory: socketFactory(),
      connectionTimeout: kafkaLimitMs.connect,
      authenticationTimeout: kafkaLimitMs.connect,
      reauthenticationThreshold: 10_000,
      requestTimeout: kafkaLimitMs.request,
      enforceRequestTimeout: true,
      retry: noRetry,
    }
    // What goes wrong is said by what it rejects with.
    this.#kafka = new Kafka({ ...shared, logLevel: logLevel.NOTHING })
    this.#cluster = new Cluster({
      ...shared,
      logger: (this.#kafka as unknown as { logger(): Logger }).logger(),
      ssl: shared.ssl === true ? {} : shared.ssl || undefined,
      brokers: shared.brokers as string[],
      metadataMaxAge: 300_000,
      allowAutoTopicCreation: false,
      isolationLevel: 0,
    })
  }

  /** The node that leads a partition; undefined when that has to be asked. */
  knownLeader(topic: string, partition: number): number | undefined {
    return this.#leaders.get(topic)?.get(partition)
  }

  /** Rejects with `unknown_topic`, or `unavailable` while the partition has no leader. */
  async leader(topic: string, partition: number): Promise<number> {
    if (!this.#leaders.has(topic)) await this.#refresh(topic)
    const leader = this.knownLeader(topic, partition)
    if (leader === undefined) throw new LogError('unknown_topic', `the log has no ${topic}/${partition}`)
    if (leader >= 0) return leader
    this.forget(topic)
    throw new LogError('unavailable', `${topic}/${partition} has no leader`)
  }

  /** Who leads may have changed. */
  forget(topic: string): void {
    this.#leaders.delete(topic)
  }

  /** A broker that is connected. Rejects with `unavailable`. */
  async broker(node: number): Promise<Broker> {
    if (this.#isClosed) throw new LogError('closed', 'the log is closed')
    try {
      return await this.#cluster.findBroker({ nodeId: node })
    } catch (error) {
      throw failureOf(error, `broker ${node}`)
    }
  }

  /** Gives up the connections to a broker: what is under way there has no answer. */
  async drop(node: number): Promise<void> {
    // Who leads what, and where, is asked anew.
    this.#leaders.clear()
    const broker = await this.#cluster.findBroker({ nodeId: node }).catch(() => null)
    await broker?.disconnect().catch(() => undefined)
  }

  /** The client for what is not on the way of a message. */
  async admin(): Promise<Admin> {
    if (this.#isClosed) throw new LogError('closed', 'the log is closed')
    this.#admin ??= (async () => {
      const admin = this.#kafka.admin({ retry: noRetry })
      try {
        await admin.connect()
      } catch (error) {
        this.#admin = null
        throw failureOf(error, 'kafka')
      }
      return admin
    })()
    return this.#admin
  }

  /** The broker that keeps the offsets of a consumer group. */
  async coordinator(groupId: string): Promise<Broker> {
    await this.#cluster.connect()
    return this.#cluster.findGroupCoordinator({ groupId })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const admin = await this.#admin?.catch(() => null)
    await Promise.all([this.#cluster.disconnect(), admin?.disconnect()].map((ending) => ending?.catch(() => undefined)))
  }

  #refresh(topic: string): Promise<void> {
    return this.#refreshing.getOrInsertComputed(topic, () => {
      const answer = this.#turn.then(() => this.#ask(topic))
      this.#turn = answer.catch(() => undefined)
      return answer.finally(() => this.#refreshing.delete(topic))
    })
  }

  async #ask(topic: string): Promise<void> {
    if (this.#isClosed) throw new LogError('closed', 'the log is closed')
    const { brokerPool } = this.#cluster
    try {
      await this.#cluster.connect()
      await brokerPool.refreshMetadata([topic])
    } catch (error) {
      throw failureOf(error, `topic ${topic}`)
    }
    const found = brokerPool.metadata?.topicMetadata.find((each) => each.topic === topic)
    if (found)
      this.#leaders.set(topic, new Map(found.partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader])))
  }
}
