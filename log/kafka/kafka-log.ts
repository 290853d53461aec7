import { setTimeout as sleep } from 'node:timers/promises'
import { LogError } from '../errors.ts'
import type { Log, LogEntry, LogRange, LogReader, TopicSpec } from '../log.ts'
import { Brokers } from './brokers.ts'
import { deleteRecords } from './deletion.ts'
import { isDenied } from './errors.ts'
import { noEvents } from './events.ts'
import type { KafkaEvents } from './events.ts'
import { Fetching, leaderRetryMs } from './fetching.ts'
import { Offsets } from './offsets.ts'
import { Producing } from './producing.ts'
import { Progress } from './progress.ts'
import { createTopics, creationMs } from './topics.ts'
import { parseKafkaUrl } from './url.ts'
import type { KafkaAddress } from './url.ts'

/** What an opener may set beside the URL. */
export interface KafkaLogOptions {
  /** Told what the adapter does, and when the cluster is away. */
  events?: KafkaEvents
  /**
   * How long an append waits, under load, for others to go with it (ms; 0 by default). Worth it where messages enter: what
   * goes in together is handled together all the way.
   */
  gatherMs?: number
}

/** The log in Apache Kafka, through kafkajs. Throws one clear error for a URL that is none of ours. */
export function openKafkaLog(url: string, options: KafkaLogOptions = {}): KafkaLog {
  return new KafkaLog(parseKafkaUrl(url), options)
}

/**
 * The log seam on Kafka's clients: each request is one class, this says which and maps topics to their prefixed names.
 */
export class KafkaLog implements Log {
  readonly #address: KafkaAddress
  readonly #brokers: Brokers
  readonly #producing: Producing
  readonly #offsets: Offsets
  readonly #fetching: Fetching
  readonly #progress: Progress
  #isClosed = false

  constructor(address: KafkaAddress, { events = noEvents, gatherMs = 0 }: KafkaLogOptions) {
    this.#address = address
    this.#brokers = new Brokers(address.client, events)
    this.#producing = new Producing(this.#brokers, events, gatherMs)
    this.#offsets = new Offsets(this.#brokers)
    this.#fetching = new Fetching(this.#brokers, this.#offsets, events)
    this.#progress = new Progress(this.#brokers, events)
  }

  async createTopics(topics: TopicSpec[]): Promise<void> {
    this.#check()
    const named = topics.map((spec) => ({ ...spec, name: this.#name(spec.name) }))
    const made = await this.#brokers
      .administer((admin) => createTopics(admin, named, this.#address))
      .catch((error: LogError) => {
        throw isDenied(error) ? new LogError('denied', error.message, { cause: error }) : error
      })
    await Promise.all(made.map((spec) => this.#untilLed(spec)))
  }

  async turn(topic: string, partition: number): Promise<void> {
    if (!this.#isClosed) await this.#producing.turn(this.#name(topic), partition)
  }

  async append(topic: string, partition: number, entries: LogEntry[]): Promise<number> {
    this.#check()
    return this.#producing.append(this.#name(topic), partition, entries)
  }

  async range(topic: string, partition: number): Promise<LogRange> {
    this.#check()
    return this.#offsets.range(this.#name(topic), partition)
  }

  read(topic: string, partition: number, from: number): LogReader {
    this.#check()
    return this.#fetching.read(this.#name(topic), partition, from)
  }

  async trim(topic: string, partition: number, before: number): Promise<void> {
    this.#check()
    const name = this.#name(topic)
    const { oldest, next } = await this.#offsets.range(name, partition)
    const offset = Math.min(before, next)
    if (offset > oldest) await deleteRecords(this.#brokers, { topic: name, partition, before: offset })
  }

  noteProgress(topic: string, partition: number, nextOffset: number): void {
    if (!this.#isClosed) this.#progress.note(this.#name(topic), partition, nextOffset)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#progress.close()
    this.#fetching.close()
    this.#brokers.close()
  }

  /** A new topic has leaders who do not know it yet. */
  async #untilLed({ name, partitions }: TopicSpec): Promise<void> {
    const end = performance.now() + creationMs
    for (;;) {
      try {
        await Promise.all(Array.from({ length: partitions }, (_, partition) => this.#offsets.range(name, partition)))
        return
      } catch (error) {
        if (!(error instanceof LogError) || error.code === 'closed' || performance.now() > end) throw error
      }
      await sleep(leaderRetryMs.first)
    }
  }

  #name(topic: string): string {
    return this.#address.prefix === '' ? topic : `${this.#address.prefix}.${topic}`
  }

  #check(): void {
    if (this.#isClosed) throw new LogError('closed', 'the log is closed')
  }
}
