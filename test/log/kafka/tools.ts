import { Kafka, logLevel } from 'kafkajs'
import type { Admin } from 'kafkajs'
import type { Test } from 'tap'
import type { KafkaEvents } from '../../../log/kafka/events.ts'
import { openKafkaLog } from '../../../log/kafka/kafka-log.ts'
import type { KafkaLog } from '../../../log/kafka/kafka-log.ts'
import { parseKafkaUrl } from '../../../log/kafka/url.ts'
import type { LogEntry, LogReader, LogRecord } from '../../../log/log.ts'

/** Everything the adapter told, and what it is asked to do meanwhile. */
export class ToldEvents implements KafkaEvents {
  readonly requests: { kind: string; isAnswered: boolean }[] = []
  /** Records of each append request. */
  readonly appends: number[] = []
  readonly errors: string[] = []
  /** `away broker 1`, `back broker 1`, … */
  readonly outages: string[] = []
  bufferedBytesMax = 0
  bufferedBytes = 0
  onGathered: () => void = () => {}

  count(kind: string): number {
    return this.requests.filter((request) => request.kind === kind).length
  }

  request(kind: string, _seconds: number, isAnswered: boolean): void {
    this.requests.push({ kind, isAnswered })
  }

  gathered(records: number): void {
    this.appends.push(records)
    this.onGathered()
  }

  failed(kind: string, error: string): void {
    this.errors.push(`${kind} ${error}`)
  }

  buffered(bytes: number): void {
    this.bufferedBytes = bytes
    this.bufferedBytesMax = Math.max(this.bufferedBytesMax, bytes)
  }

  away(what: string): void {
    this.outages.push(`away ${what}`)
  }

  back(what: string): void {
    this.outages.push(`back ${what}`)
  }
}

/** A handle on the log that closes with the test. */
export function openLog(t: Test, url: string, events?: KafkaEvents, gatherMs = 0): KafkaLog {
  const log = openKafkaLog(url, { gatherMs, ...(events && { events }) })
  t.teardown(() => log.close())
  return log
}

/** Kafka's own tools, as an operator has them. Ends with the test. */
export async function operator(t: Test, url: string): Promise<Admin> {
  const { brokers } = parseKafkaUrl(url)
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  return admin
}

export const entry = (text: string | number): LogEntry => ({ key: null, value: Buffer.from(String(text)) })

/** Entries with the numbers from `first` on. */
export const entries = (first: number, count: number): LogEntry[] =>
  Array.from({ length: count }, (_, index) => entry(first + index))

export const numbersOf = (records: LogRecord[]): number[] => records.map(({ value }) => Number(value.toString()))

/** The numbers from `first` on. */
export const numbers = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => first + index)

/** Reads until `count` records are there. */
export async function take(reader: LogReader, count: number): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  while (records.length < count) records.push(...(await reader.next()))
  return records
}
