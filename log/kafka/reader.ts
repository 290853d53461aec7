import { hash } from 'node:crypto'
import { LogError } from '../errors.ts'
import { readBatchMax, readBufferBytesMax } from '../log.ts'
import type { LogReader, LogRecord } from '../log.ts'
import { recordBytes } from '../rules.ts'
import type { RecordRun } from './wire/record-batch.ts'

/** A record that was read, to be recognised when it is read again. */
interface Seen {
  offset: number
  digest: string
}

/**
 * One reader of a partition: what was fetched and not taken yet, bounded. After any interruption it begins with the
 * record that it read last: when that is another one by now, the topic is not the one that it was.
 */
export class KafkaReader implements LogReader {
  readonly topic: string
  readonly partition: number
  /** Id of the topic that it began with; null until that is known. */
  topicId: string | null = null
  /** Next offset to be fetched. */
  offset: number
  readonly #roomAgain: (reader: KafkaReader) => void
  readonly #ended: (reader: KafkaReader) => void
  readonly #held: (change: number) => void
  #records: LogRecord[] = []
  #bytes = 0
  /** Not the record itself, which would keep all that was fetched with it. */
  #last: Seen | null = null
  /** Set while the last record is to be recognised. */
  #recognise: Seen | null = null
  #error: LogError | null = null
  #wake: (() => void) | null = null

  constructor(
    place: { topic: string; partition: number; from: number },
    events: {
      roomAgain: (reader: KafkaReader) => void
      ended: (reader: KafkaReader) => void
      /** It holds so many bytes more, or less, ready than before. */
      held: (change: number) => void
    },
  ) {
    this.topic = place.topic
    this.partition = place.partition
    this.offset = place.from
    this.#roomAgain = events.roomAgain
    this.#ended = events.ended
    this.#held = events.held
  }

  /** It is to be fetched for. */
  get hasRoom(): boolean {
    return this.#bytes < readBufferBytesMax && this.#error === null
  }

  /** It was closed, or cannot go on. */
  get isOver(): boolean {
    return this.#error !== null
  }

  /** True before the first record: then nothing shows that the topic was ever there. */
  get isNew(): boolean {
    return this.#last === null
  }

  /** Where the next fetch begins. */
  get fetchFrom(): number {
    return this.#recognise?.offset ?? this.offset
  }

  async next(): Promise<LogRecord[]> {
    if (this.#records.length === 0 && this.#error === null) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = null
    }
    if (this.#records.length === 0) throw this.#error!
    const hadRoom = this.hasRoom
    const taken = this.#records.splice(0, readBatchMax)
    this.#hold(this.#records.length === 0 ? -this.#bytes : -bytesOf(taken))
    if (!hadRoom && this.hasRoom) this.#roomAgain(this)
    return taken
  }

  /**
   * Messages that were fetched from offset `from` on. What was read already is left out; a fetch that was made for others
   * and begins too late is none of ours.
   */
  take({ records, bytes, next }: RecordRun, from: number): void {
    if (this.#error !== null || from > this.fetchFrom) return
    if (this.#recognise && !this.#isRecognised(records, this.#recognise)) return
    const isAllFresh = from >= this.offset
    const fresh = isAllFresh ? records : records.filter(({ offset }) => offset >= this.offset)
    // Beyond the last record too: what holds none, such as the end of a transaction, is behind us.
    this.offset = Math.max(this.offset, next)
    const last = fresh.at(-1)
    if (last === undefined) return
    this.#last = { offset: last.offset, digest: digestOf(last) }
    this.#hold(isAllFresh ? bytes : bytesOf(fresh))
    for (const record of fresh) this.#records.push(record)
    this.#wake?.()
  }

  /** The connection or the partition was lost for a while. */
  interrupted(): void {
    this.#recognise ??= this.#last
  }

  /** The last record was removed since: what follows it is there. */
  skipRecognition(): void {
    this.#recognise = null
  }

  /** What came before is handed out first. */
  fail(error: LogError): void {
    if (this.#error !== null) return
    this.#error = error
    this.#ended(this)
    this.#wake?.()
  }

  close(): void {
    this.#records = []
    this.#hold(-this.#bytes)
    this.fail(new LogError('closed', 'the reader is closed'))
  }

  #hold(change: number): void {
    this.#bytes += change
    this.#held(change)
  }

  #isRecognised(records: LogRecord[], seen: Seen): boolean {
    const first = records.find(({ offset }) => offset >= seen.offset)
    if (first === undefined) return false
    this.#recognise = null
    // A compacted topic may have lost it, and a trimmed one too.
    if (first.offset > seen.offset || digestOf(first) === seen.digest) return true
    const what = `${this.topic}/${this.partition}`
    this.fail(
      new LogError('out_of_range', `${what} has another record at ${seen.offset} than before: it was made anew`),
    )
    return false
  }
}

function digestOf({ key, value }: LogRecord): string {
  return `${key?.length ?? -1} ${hash('sha1', value)}`
}

function bytesOf(records: LogRecord[]): number {
  return records.reduce((sum, record) => sum + recordBytes(record), 0)
}
