import pino from 'pino'
import { followDecoded } from '../cluster/follow.ts'
import { openLog } from '../cluster/open-log.ts'
import type { Log, LogReader } from '../log/log.ts'
import { decodeStatus } from '../protocol/records/status.ts'
import { statusTopic } from '../protocol/records/topics.ts'

/** How long slots stood still as they moved, as their new owners announce it: the controller makes its metric of it. */
export class Handoffs implements AsyncDisposable {
  readonly #log: Log
  readonly #reader: LogReader
  readonly #following: Promise<void>
  #pausesMs: number[] = []

  private constructor(log: Log, reader: LogReader) {
    this.#log = log
    this.#reader = reader
    this.#following = followDecoded(reader, pino({ level: 'silent' }), {
      decode: decodeStatus,
      handle: (record) => {
        if (record.type === 'acquired') this.#pausesMs.push(record.pauseMs)
      },
    })
  }

  /** Follows a cluster from now on. */
  static async follow(logUrl: string): Promise<Handoffs> {
    const log = await openLog(logUrl)
    return new Handoffs(log, log.read(statusTopic, 0, (await log.range(statusTopic, 0)).next))
  }

  /** Those that were announced since it was last asked, ms. */
  take(): number[] {
    const taken = this.#pausesMs
    this.#pausesMs = []
    return taken
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader.close()
    await this.#following
    await this.#log.close()
  }
}
