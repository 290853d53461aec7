import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import type { Admin, KafkaConfig, Logger } from 'kafkajs'
import Cluster from 'kafkajs/src/cluster/index.js'
import type { Broker, ProtocolCall } from 'kafkajs/src/cluster/index.js'
import { authority } from '../../platform/addresses.ts'
import { Outages } from '../../platform/outages.ts'
import { LogError } from '../errors.ts'
import { errorName, failureOf, failureOfCode } from './errors.ts'
import type { KafkaEvents, RequestKind } from './events.ts'
import { socketFactory, withColons } from './socket-factory.ts'
import { tameConnections } from './tame-connections.ts'
import { tameTimers } from './tame-timers.ts'
import { kafkaCodes } from './wire/codes.ts'
import { decodeMetadata, metadataRequest, type TopicMetadata } from './wire/metadata.ts'

/** Time to connect, and time in which any request must be answered; then its connection is given up. */
export const kafkaLimitMs = { connect: 3_000, request: 10_000 }

/**
 * A login is renewed by the first request in this last part of the time that the broker gives it (KIP-368). A broker
 * takes none within a second of the one before, so what it gives has to be longer by more than that.
 */
export const loginRenewalMs = 2_000

/** A topic that was just made is not known to every broker at once: it is asked for so often before it is unknown. */
export const unknownTopic = { tries: 5, pauseMs: 100 }

/** Above us a request is tried again as often as it takes, with pauses of its own. */
const noRetry = { retries: 0, initialRetryTime: 10, maxRetryTime: 10 }

type Decode<Answer> = (data: Buffer) => Promise<Answer>

/** The brokers of a Kafka cluster, and who of them leads which partition. */
export class Brokers {
  readonly #events: KafkaEvents
  readonly #outages: Outages
  readonly #cluster: Cluster
  readonly #kafka: Kafka
  /** Ends every connection. */
  readonly #closing = new AbortController()
  readonly #leaders = new Map<string, Map<number, number>>()
  readonly #topicIds = new Map<string, string>()
  /** Topics whose brokers answer and take nothing. Whoever appends tries again until they do. */
  readonly #hindered = new Set<string>()
  readonly #refreshing = new Map<string, Promise<void>>()
  /** The broker that is asked for leaders, and what it said. */
  #asked: Broker | null = null
  readonly #found = new Map<string, TopicMetadata>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(config: Pick<KafkaConfig, 'brokers' | 'ssl' | 'sasl'>, events: KafkaEvents) {
    tameTimers()
    tameConnections()
    this.#events = events
    this.#outages = new Outages(events)
    const shared = {
      ...config,
      clientId: 'holdfast',
      socketFactory: socketFactory(this.#closing.signal),
      connectionTimeout: kafkaLimitMs.connect,
      authenticationTimeout: kafkaLimitMs.connect,
      reauthenticationThreshold: loginRenewalMs,
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
    this.#askTolerantly()
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** The node that leads a partition; undefined when that has to be asked. */
  knownLeader(topic: string, partition: number): number | undefined {
    return this.#leaders.get(topic)?.get(partition)
  }

  /** The id of a topic whose leaders were asked for. */
  topicId(topic: string): string {
    return this.#topicIds.get(topic) ?? ''
  }

  /** Rejects with `unknown_topic`, or `unavailable` while the partition has no leader. */
  async leader(topic: string, partition: number): Promise<number> {
    if (!this.#leaders.has(topic)) await this.#refresh(topic)
    const leader = this.knownLeader(topic, partition)
    if (leader === undefined) throw new LogError('unknown_topic', `the log has no ${topic}/${partition}`)
    if (leader >= 0) return leader
    this.#leaders.delete(topic)
    const failure = new LogError('unavailable', `${topic}/${partition} has no leader`)
    this.#outages.lost(`topic ${topic}`, failure)
    throw failure
  }

  /**
   * Sends a request to a broker. When it is not answered it rejects with `unavailable`: then the broker's connections are
   * given up, with all that is under way there, and who leads what, and where, is asked anew.
   */
  async send<Answer>(
    node: number,
    kind: RequestKind,
    call: { request: object; decode: Decode<Answer> },
  ): Promise<Answer> {
    this.#check()
    const { brokerPool } = this.#cluster
    const broker = brokerPool.brokers[node]
    const start = performance.now()
    try {
      const { connectionPool } = await brokerPool.findBroker({ nodeId: node })
      const sender = kind === 'first_read' ? await connectionPool.getConnection(0) : connectionPool
      const answer = await sender.send(plainCall(call))
      this.#events.request(kind, (performance.now() - start) / 1_000, true)
      this.#outages.answered(`broker ${node}`)
      return answer
    } catch (error) {
      this.#check()
      this.#leaders.clear()
      if (broker) await this.#giveUp(broker)
      this.#events.request(kind, (performance.now() - start) / 1_000, false)
      throw this.#lost(kind, `broker ${node}`, error)
    }
  }

  /** A partition took an append. */
  appended(topic: string): void {
    this.accepted(topic)
    if (this.#hindered.delete(topic) && this.#hindered.size === 0) this.#outages.answered('appends')
  }

  /** A partition answered without an error. */
  accepted(topic: string): void {
    this.#outages.answered(`topic ${topic}`)
  }

  /** A partition refused a request with an error code of Kafka's: who leads it may have changed. */
  refused(kind: RequestKind, topic: string, partition: number, code: number): LogError {
    const failure = failureOfCode(code, `${kind} ${topic}/${partition}`)
    this.#events.failed(kind, errorName(failure))
    // The fault of what was asked, not of who was asked.
    if (failure.code === 'too_large') return failure
    this.#leaders.delete(topic)
    if (failure.hindrance !== null) {
      this.#hindered.add(topic)
      this.#outages.lost('appends', failure)
      return failure
    }
    // A leader that has changed is found.
    if (code !== kafkaCodes.notLeader && code !== kafkaCodes.leaderNotAvailable)
      this.#outages.lost(`topic ${topic}`, failure)
    return failure
  }

  /** Makes requests that are not on the way of a message, with a client of their own. */
  async administer<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    this.#check()
    const start = performance.now()
    const admin = this.#kafka.admin({ retry: noRetry })
    try {
      await admin.connect()
      const result = await use(admin)
      this.#events.request('topics', (performance.now() - start) / 1_000, true)
      this.#outages.answered('kafka')
      return result
    } catch (error) {
      this.#check()
      // One that says no has answered.
      if (error instanceof LogError) throw error
      this.#events.request('topics', (performance.now() - start) / 1_000, false)
      throw this.#lost('topics', 'kafka', error)
    } finally {
      await admin.disconnect()
    }
  }

  /** The broker that keeps the offsets of a consumer group. */
  async coordinator(groupId: string): Promise<Broker> {
    this.#check()
    await this.#cluster.connect()
    return this.#cluster.findGroupCoordinator({ groupId })
  }

  /** Ends everything at once: what is under way rejects. */
  close(): void {
    this.#closing.abort(new LogError('closed', 'the log is closed'))
  }

  #check(): void {
    if (this.isClosed) throw new LogError('closed', 'the log is closed')
  }

  #lost(kind: RequestKind, what: string, error: unknown): LogError {
    const failure = failureOf(error, `${kind} at ${what}`)
    this.#events.failed(kind, errorName(failure))
    if (failure.code === 'unavailable') this.#outages.lost(what, failure)
    return failure
  }

  /**
   * kafkajs goes on with the connections it has. While one is being ended it waits for what is under way there, which it
   * no longer gives up (github.com/tulios/kafkajs/issues/918), so these are destroyed, and others made for the next request.
   */
  async #giveUp(broker: Broker): Promise<void> {
    const { brokerPool } = this.#cluster
    const { host, port, pool } = broker.connectionPool
    if (brokerPool.brokers[broker.nodeId] === broker) brokerPool.removeBroker({ host, port })
    const closing = pool.map(async ({ socket }) => {
      if (!socket || socket.closed) return
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.destroy(new Error(`${authority(withColons(host), port)} does not answer`))
      await closed
    })
    await Promise.all(closing)
  }

  #refresh(topic: string): Promise<void> {
    return this.#refreshing.getOrInsertComputed(topic, () =>
      this.#findTopic(topic).finally(() => this.#refreshing.delete(topic)),
    )
  }

  async #findTopic(topic: string): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const { topicErrorCode: code, topicId, partitionMetadata } = await this.#ask(topic)
      if (code === kafkaCodes.none) {
        this.#topicIds.set(topic, topicId)
        this.#leaders.set(topic, new Map(partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader])))
        return
      }
      if (code !== kafkaCodes.unknownTopic || tries === unknownTopic.tries) throw failureOfCode(code, `topic ${topic}`)
      await sleep(unknownTopic.pauseMs)
    }
  }

  /** One at a time, for kafkajs keeps its list of brokers with it. */
  #ask(topic: string): Promise<TopicMetadata> {
    const { brokerPool } = this.#cluster
    const answer = this.#turn.then(async () => {
      this.#check()
      const start = performance.now()
      this.#asked = null
      try {
        await this.#cluster.connect()
        await brokerPool.refreshMetadata([topic])
        this.#events.request('leader', (performance.now() - start) / 1_000, true)
        this.#outages.answered('kafka')
        return this.#found.get(topic)!
      } catch (error) {
        this.#check()
        const { seedBroker } = brokerPool
        if (this.#asked) await this.#giveUp(this.#asked)
        else if (seedBroker) {
          await this.#giveUp(seedBroker)
          // kafkajs goes on to the next one of its list only from a broker that it cannot connect to, not from one that
          // takes the connection and says nothing.
          brokerPool.seedBroker = undefined
        }
        this.#events.request('leader', (performance.now() - start) / 1_000, false)
        throw this.#lost('leader', 'kafka', error)
      } finally {
        this.#found.clear()
      }
    })
    this.#turn = answer.catch(() => undefined)
    return answer
  }

  /** kafkajs takes no answer in which any partition has an error, such as no leader for the moment. */
  #askTolerantly(): void {
    const { brokerPool } = this.#cluster
    const find = brokerPool.findConnectedBroker.bind(brokerPool)
    brokerPool.findConnectedBroker = async () => {
      const broker = await find()
      this.#asked = broker
      broker.metadata = async (topics) => {
        const request = metadataRequest(topics)
        const answer = await broker.connectionPool.send(plainCall({ request, decode: decodeMetadata }))
        for (const found of answer.topicMetadata) this.#found.set(found.topic, found)
        return answer
      }
      return broker
    }
  }
}

/** The answer as it was decoded: kafkajs throws for the first error in it, and each is for a partition of its own. */
function plainCall<Answer>(
  call: Pick<ProtocolCall<Answer>, 'request'> & { decode: Decode<Answer> },
): ProtocolCall<Answer> {
  const response = { decode: call.decode, parse: (answer: Answer) => answer }
  return { request: call.request, response, logResponseError: false }
}
