/** What controllers of a cluster of real processes have hinted, as its log has it, and a hand that writes there too. */
import { follow } from '../../../cluster/follow.ts'
import { openLog } from '../../../cluster/open-log.ts'
import type { Log, LogReader } from '../../../log/log.ts'
import { decodeControl } from '../../../protocol/records/control.ts'
import type { ControlRecord } from '../../../protocol/records/control.ts'
import { FormatError } from '../../../protocol/records/errors.ts'
import { controlTopic } from '../../../protocol/records/topics.ts'
import type { Cluster } from './cluster.ts'

export type Move = Extract<ControlRecord, { type: 'move' }>

export class HintsInLog implements AsyncDisposable {
  /** All that can be read, oldest first, from when it was opened on. */
  readonly records: ControlRecord[] = []
  readonly #log: Log
  readonly #reader: LogReader
  readonly #read: Promise<void>

  private constructor(log: Log, reader: LogReader) {
    this.#log = log
    this.#reader = reader
    this.#read = follow(reader, (records) => {
      for (const { value } of records) this.#note(value)
    })
  }

  static async open({ logUrl }: Cluster): Promise<HintsInLog> {
    const log = await openLog(logUrl)
    const { oldest } = await log.range(controlTopic, 0)
    return new HintsInLog(log, log.read(controlTopic, 0, oldest))
  }

  /** The newest that was used. */
  get term(): number {
    return Math.max(0, ...this.records.map(({ term }) => term))
  }

  get moves(): Move[] {
    return this.records.filter((record) => record.type === 'move')
  }

  /** Writes what no controller has written. */
  async forge(key: string, value: Buffer): Promise<void> {
    await this.#log.append(controlTopic, 0, [{ key: Buffer.from(key), value }])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader.close()
    await this.#read
    await this.#log.close()
  }

  /** What is forged may be none. */
  #note(value: Buffer): void {
    try {
      this.records.push(decodeControl(value))
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
    }
  }
}
