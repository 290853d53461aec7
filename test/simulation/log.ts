import { LogError } from '../../log/errors.ts'
/** The log as one simulated process reaches it. */
import { readBatchMax } from '../../log/log.ts'
import type { Log, LogEntry, LogReader, LogRecord } from '../../log/log.ts'
import { decodeEnvelope, formatVersion } from '../../protocol/records/envelope.ts'
import type { Host } from './host.ts'
import type { LogData } from './log-data.ts'
import type { Network } from './network.ts'
import type { Scheduler } from './scheduler.ts'

/** A reader that was cut off looks again after this time. */
const lookAgainMs = 40

export interface LogWorld {
  scheduler: Scheduler
  network: Network
  data: LogData
  /** Told what has just been appended. */
  onAppend?: (topic: string, entries: LogEntry[]) => void
  /** Told what a reader is about to hand out. */
  onRead?: (topic: string, records: LogRecord[]) => void
}

/** One process's handle on the log: every request and every wake-up is a step of its own. */
export function simulatedLog(world: LogWorld, host: Host): Log {
  const { scheduler, network, data } = world
  return {
    createTopics: (topics) => network.request(host, 'log', 'topics', () => data.createTopics(topics)),
    append: (topic, partition, entries) =>
      network.request(host, 'log', `append ${topic}/${partition} ×${entries.length}`, () => {
        const first = data.append(topic, partition, entries)
        world.onAppend?.(topic, entries)
        for (const [index, { value }] of entries.entries()) scheduler.trace?.(`  ${first + index}: ${describe(value)}`)
        return first
      }),
    range: (topic, partition) =>
      network.request(host, 'log', `range ${topic}/${partition}`, () => data.range(topic, partition)),
    trim: (topic, partition, before) =>
      network.request(host, 'log', `trim ${topic}/${partition}`, () => data.trim(topic, partition, before)),
    read: (topic, partition, from) => new SimulatedReader(world, host, topic, partition, from),
    close: async () => {},
  }
}

class SimulatedReader implements LogReader {
  readonly #world: LogWorld
  readonly #host: Host
  readonly #topic: string
  readonly #partition: number
  #offset: number
  #isClosed = false
  #waiting: PromiseWithResolvers<LogRecord[]> | null = null

  constructor(world: LogWorld, host: Host, topic: string, partition: number, from: number) {
    this.#world = world
    this.#host = host
    this.#topic = topic
    this.#partition = partition
    this.#offset = from
  }

  next(): Promise<LogRecord[]> {
    if (this.#isClosed) return Promise.reject(new LogError('closed', 'the reader is closed'))
    this.#waiting = Promise.withResolvers()
    this.#fetch(this.#world.network.wayMs())
    return this.#waiting.promise
  }

  close(): void {
    this.#isClosed = true
    this.#waiting?.reject(new LogError('closed', 'the reader is closed'))
    this.#waiting = null
  }

  #fetch(ms: number): void {
    const { scheduler, network, data, onRead } = this.#world
    const [topic, partition] = [this.#topic, this.#partition]
    scheduler.after(ms, this.#host, `read ${topic}/${partition} from ${this.#offset}`, () => {
      const waiting = this.#waiting
      if (waiting === null) return
      if (this.#host.cut.log) return this.#fetch(lookAgainMs)
      try {
        const records = data.read(topic, partition, this.#offset, this.#most())
        if (records.length === 0) return data.watch(topic, partition, () => this.#fetch(network.wayMs()))
        this.#offset = records.at(-1)!.offset + 1
        this.#waiting = null
        onRead?.(topic, records)
        waiting.resolve(records)
      } catch (error) {
        this.#waiting = null
        waiting.reject(error)
      }
    })
  }

  /** Mostly all that is there, sometimes less: batches are cut anywhere. */
  #most(): number {
    const { random } = this.#host
    return random.chance(0.7) ? readBatchMax : random.integer(1, 4)
  }
}

/** What a record says of itself, for the trace. */
function describe(value: Buffer): string {
  return value[0] === formatVersion ? JSON.stringify(decodeEnvelope(value).header) : value.toString()
}
