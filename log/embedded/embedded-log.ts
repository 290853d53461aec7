import type { EngineConnection } from '../../engine/connection.ts'
import { shareConnection } from '../../engine/shared.ts'
import type { OutageEvents } from '../../platform/outages.ts'
import { LogError } from '../errors.ts'
import type { Log, LogEntry, LogRange, LogReader, TopicSpec } from '../log.ts'
import type { LogRequests } from './log-requests.ts'

/** Records that one request removes at most. */
export const trimChunk = 1_000

/** The log that the engine of a data directory keeps. `events` are told when the engine is away. */
export function openEmbeddedLog(dataDir: string, events?: OutageEvents): EmbeddedLog {
  const { connection, release } = shareConnection(dataDir, events)
  return new EmbeddedLog(connection, release)
}

/** The log that the engine keeps. `release` is called once, when the log is closed. */
export class EmbeddedLog implements Log {
  #connection: EngineConnection
  #release: () => Promise<void>
  #readers = new Set<LogReader>()
  #closed = false

  constructor(connection: EngineConnection, release: () => Promise<void>) {
    this.#connection = connection
    this.#release = release
  }

  async createTopics(topics: TopicSpec[]): Promise<void> {
    await this.#send('createTopics', [topics])
  }

  append(topic: string, partition: number, entries: LogEntry[]): Promise<number> {
    return this.#send('append', [topic, partition, entries])
  }

  range(topic: string, partition: number): Promise<LogRange> {
    return this.#send('range', [topic, partition])
  }

  async trim(topic: string, partition: number, before: number): Promise<void> {
    // Piece by piece, so that nobody waits for the engine while it removes much.
    const { oldest } = await this.range(topic, partition)
    for (let end = oldest + trimChunk; end < before; end += trimChunk) await this.#send('trim', [topic, partition, end])
    await this.#send('trim', [topic, partition, before])
  }

  read(topic: string, partition: number, from: number): LogReader {
    if (this.#closed) throw new LogError('closed', 'the log is closed')
    const reader = this.#connection.follow(topic, partition, from, () => this.#readers.delete(reader))
    this.#readers.add(reader)
    return reader
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const reader of this.#readers) reader.close()
    await this.#release()
  }

  async #send<R extends keyof LogRequests>(
    request: R,
    values: Parameters<LogRequests[R]>,
  ): Promise<ReturnType<LogRequests[R]>> {
    if (this.#closed) throw new LogError('closed', 'the log is closed')
    return (await this.#connection.request('log', request, values)) as ReturnType<LogRequests[R]>
  }
}
