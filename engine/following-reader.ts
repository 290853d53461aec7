import { LogError } from '../log/errors.ts'
import { readBatchMax, readBufferBytesMax, type LogReader, type LogRecord } from '../log/log.ts'
import { recordBytes } from '../log/rules.ts'

/** Credit goes back to the engine in lumps of this many bytes. */
const creditLumpBytes = readBufferBytesMax / 4

interface Waiting {
  resolve(records: LogRecord[]): void
  reject(error: LogError): void
}

/** What is followed, from where, and who tells the engine. */
export interface FollowingReaderOptions {
  topic: string
  partition: number
  from: number
  /** The engine may send this many bytes more. */
  credit: (bytes: number) => void
  closed: () => void
}

/** The client's end of following a partition: holds what the engine pushed until it is asked for. */
export class FollowingReader implements LogReader {
  readonly topic: string
  readonly partition: number
  #options: FollowingReaderOptions
  #resume: number
  #records: LogRecord[] = []
  #heldBytes = 0
  #owedBytes = 0
  #waiting: Waiting | null = null
  #failure: LogError | null = null

  constructor(options: FollowingReaderOptions) {
    this.#options = options
    this.topic = options.topic
    this.partition = options.partition
    this.#resume = options.from
  }

  async next(): Promise<LogRecord[]> {
    if (this.#records.length > 0) return this.#take()
    if (this.#failure !== null) throw this.#failure
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  close(): void {
    this.#records = []
    this.#failure = new LogError('closed', 'the reader is closed')
    this.#wake()
    this.#options.closed()
  }

  /** Where and with how much credit to follow again on a new connection. */
  resume(): { from: number; credit: number } {
    this.#owedBytes = 0
    return { from: this.#resume, credit: readBufferBytesMax - this.#heldBytes }
  }

  /** Records came in, in order. */
  deliver(records: LogRecord[]): void {
    if (this.#failure !== null) return
    for (const record of records) {
      this.#records.push(record)
      this.#heldBytes += recordBytes(record)
    }
    this.#resume = (records.at(-1)?.offset ?? this.#resume - 1) + 1
    this.#wake()
  }

  /** What came before is handed out first. */
  fail(error: LogError): void {
    this.#failure ??= error
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    if (waiting === null) return
    this.#waiting = null
    if (this.#records.length > 0) waiting.resolve(this.#take())
    else if (this.#failure !== null) waiting.reject(this.#failure)
  }

  #take(): LogRecord[] {
    const taken = this.#records.splice(0, readBatchMax)
    const bytes = taken.reduce((sum, record) => sum + recordBytes(record), 0)
    this.#heldBytes -= bytes
    this.#owedBytes += bytes
    if (this.#owedBytes >= creditLumpBytes) {
      this.#options.credit(this.#owedBytes)
      this.#owedBytes = 0
    }
    return taken
  }
}
