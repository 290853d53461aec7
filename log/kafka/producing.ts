import { kafkaBatchBytesMax } from '../../protocol/records/sizes.ts'
import type { LogEntry } from '../log.ts'
import { checkAppend, recordBytes } from '../rules.ts'
import { type Brokers, kafkaLimitMs } from './brokers.ts'
import type { KafkaEvents } from './events.ts'
import { kafkaCodes } from './wire/codes.ts'
import { decodeProduce, produceRequest } from './wire/produce.ts'

/** Produce requests under way at one broker: what comes meanwhile goes together in the next. */
export const requestsMax = 1

/**
 * Requests are what costs, at the broker and at everybody behind it: each wakes readers, who make a transaction and a
 * request of their own. So where messages enter (`gatherMs` above 0) the next request waits for more to go with it: so
 * long for each record that the last one carried, and `gatherMs` at most. Below 250 records a second that comes to nothing,
 * for then nobody would share the wait's gain; above it soon is `gatherMs`. What comes after a pause goes at once.
 */
export const gatherPerRecordMs = 4

/**
 * So long a broker waits for the other replicas of an append. It answers, for that partition alone, before the request and
 * its connection are given up with every other partition's append.
 */
export const replicasLimitMs = kafkaLimitMs.request / 2

/** Bytes that one request carries, and those of one partition in it (Kafka's own default is 1 MiB). */
export const requestBytesMax = { all: 4_000_000, partition: kafkaBatchBytesMax }

interface Waiting {
  topic: string
  partition: number
  entries: LogEntry[]
  bytes: number
  /** It was refused as too large together with others: now it shows whether it is itself. */
  isAlone: boolean
  resolve: (offset: number) => void
  reject: (error: unknown) => void
}

interface Node {
  waiting: Waiting[]
  underWay: number
  /** Called when the next request is about to go. */
  turns: (() => void)[]
  /** When the next request may go. */
  nextAt: number
  isScheduled: boolean
}

/** Entries of one partition in a request, and where those of each append begin. */
interface Batch {
  entries: LogEntry[]
  bytes: number
  appends: { waiting: Waiting; index: number }[]
}

/**
 * Appends of any number of partitions, gathered: it is requests that cost, not records. Each partition answers for
 * itself, so one that fails does not trouble the others.
 */
export class Producing {
  readonly #brokers: Brokers
  readonly #events: KafkaEvents
  readonly #gatherMs: number
  readonly #nodes = new Map<number, Node>()

  constructor(brokers: Brokers, events: KafkaEvents, gatherMs: number) {
    this.#brokers = brokers
    this.#events = events
    this.#gatherMs = gatherMs
  }

  /** Resolves when the next request to the partition's broker is about to go: what is appended at once goes with it. */
  turn(topic: string, partition: number): Promise<void> {
    const leader = this.#brokers.knownLeader(topic, partition)
    if (leader === undefined || leader < 0) return Promise.resolve()
    const node = this.#node(leader)
    return new Promise((resolve) => {
      node.turns.push(resolve)
      this.#schedule(leader, node)
    })
  }

  async append(topic: string, partition: number, entries: LogEntry[]): Promise<number> {
    checkAppend(topic, partition, entries)
    const bytes = entries.reduce((sum, entry) => sum + recordBytes(entry), 0)
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { topic, partition, entries, bytes, isAlone: false, resolve, reject }
      const leader = this.#brokers.knownLeader(topic, partition)
      if (leader !== undefined && leader >= 0) this.#add(leader, waiting)
      else this.#brokers.leader(topic, partition).then((node) => this.#add(node, waiting), reject)
    })
  }

  #node(id: number): Node {
    return this.#nodes.getOrInsertComputed(id, () => ({
      waiting: [],
      underWay: 0,
      turns: [],
      nextAt: 0,
      isScheduled: false,
    }))
  }

  #add(id: number, waiting: Waiting): void {
    const node = this.#node(id)
    node.waiting.push(waiting)
    this.#schedule(id, node)
  }

  #schedule(id: number, node: Node): void {
    const isWanted = node.waiting.length > 0 || node.turns.length > 0
    if (!isWanted || node.isScheduled || node.underWay >= requestsMax) return
    node.isScheduled = true
    const pauseMs = node.nextAt - performance.now()
    // At the end of this turn at the earliest: what one read from a socket brought goes together.
    if (pauseMs < 1) setImmediate(() => this.#go(id, node))
    else setTimeout(() => this.#go(id, node), pauseMs)
  }

  /** Whoever waits for its turn appends before the request is made. */
  #go(id: number, node: Node): void {
    for (const resolve of node.turns.splice(0)) resolve()
    setImmediate(() => {
      node.isScheduled = false
      if (node.waiting.length > 0) this.#send(id, node)
      else this.#schedule(id, node)
    })
  }

  #send(id: number, node: Node): void {
    const topics = take(node)
    const records = countOf(topics)
    node.underWay += 1
    node.nextAt = performance.now() + Math.min(records * gatherPerRecordMs, this.#gatherMs)
    this.#events.gathered(records)
    void this.#request(id, topics).finally(() => {
      node.underWay -= 1
      this.#schedule(id, node)
    })
  }

  async #request(id: number, topics: Map<string, Map<number, Batch>>): Promise<void> {
    const request = produceRequest(
      [...topics].map(([topic, partitions]) => ({
        topic,
        partitions: [...partitions].map(([partition, { entries }]) => ({ partition, entries })),
      })),
      replicasLimitMs,
    )
    try {
      const answer = await this.#brokers.send(id, 'append', { request, decode: decodeProduce })
      for (const { topicName, partitions } of answer.topics) {
        for (const { partition, errorCode, baseOffset } of partitions) {
          const batch = topics.get(topicName)?.get(partition)
          if (batch) this.#settle(topicName, partition, batch, errorCode, baseOffset)
        }
      }
    } catch (error) {
      for (const batches of topics.values())
        for (const { appends } of batches.values()) for (const { waiting } of appends) waiting.reject(error)
    }
  }

  #settle(topic: string, partition: number, { appends }: Batch, code: number, first: number): void {
    if (code === kafkaCodes.none) {
      this.#brokers.appended(topic)
      for (const { waiting, index } of appends) waiting.resolve(first + index)
      return
    }
    const failure = this.#brokers.refused('append', topic, partition, code)
    if (failure.code === 'too_large' && appends.length > 1) return this.#apart(appends.map(({ waiting }) => waiting))
    for (const { waiting } of appends) waiting.reject(failure)
  }

  /** Appends that were refused together go again, each as a batch of its own. */
  #apart(appends: Waiting[]): void {
    const { topic, partition } = appends[0]!
    for (const waiting of appends) waiting.isAlone = true
    this.#brokers.leader(topic, partition).then(
      (id) => {
        const node = this.#node(id)
        node.waiting.unshift(...appends)
        this.#schedule(id, node)
      },
      (error: unknown) => {
        for (const { reject } of appends) reject(error)
      },
    )
  }
}

/** What goes in the next request; what does not fit stays, in order. */
function take(node: Node): Map<string, Map<number, Batch>> {
  const topics = new Map<string, Map<number, Batch>>()
  const left: Waiting[] = []
  const full = new Set<string>()
  let bytes = 0
  for (const waiting of node.waiting) {
    const { topic, partition } = waiting
    const name = `${topic}/${partition}`
    const batches = topics.getOrInsertComputed(topic, () => new Map<number, Batch>())
    const batch = batches.get(partition) ?? { entries: [], bytes: 0, appends: [] }
    const isFirst = bytes === 0
    const isApart = batch.appends.length > 0 && (waiting.isAlone || batch.appends[0]!.waiting.isAlone)
    const fits =
      !isApart &&
      bytes + waiting.bytes <= requestBytesMax.all &&
      batch.bytes + waiting.bytes <= requestBytesMax.partition
    if (full.has(name) || (!isFirst && !fits)) {
      // Nothing of this partition may overtake it.
      full.add(name)
      left.push(waiting)
      continue
    }
    batch.appends.push({ waiting, index: batch.entries.length })
    batch.entries.push(...waiting.entries)
    batch.bytes += waiting.bytes
    bytes += waiting.bytes
    batches.set(partition, batch)
  }
  node.waiting = left
  for (const [topic, batches] of topics) if (batches.size === 0) topics.delete(topic)
  return topics
}

function countOf(topics: Map<string, Map<number, Batch>>): number {
  let count = 0
  for (const batches of topics.values()) for (const { entries } of batches.values()) count += entries.length
  return count
}
