import { LogError } from '../../log/errors.ts'
import type { LogReader, LogRecord } from '../../log/log.ts'
import type { Clock } from '../../platform/clock.ts'

/** Records of a slot that are read and not yet committed. Reads on only while none wait: a batch is what came meanwhile. */
export class Reading {
  readonly #clock: Clock
  readonly #reader: LogReader
  /** Something came, or went wrong. */
  readonly #changed: () => void
  #waiting: LogRecord[]
  #isReading = false
  #error: unknown = null
  /** Monotonic ms since which records wait without a commit; null when none do. */
  #waitingSince: number | null

  constructor(clock: Clock, reader: LogReader, read: LogRecord[], changed: () => void) {
    this.#clock = clock
    this.#reader = reader
    this.#waiting = read
    this.#changed = changed
    this.#waitingSince = read.length > 0 ? clock.monotonic() : null
  }

  /** In the order of the log. */
  get waiting(): LogRecord[] {
    return this.#waiting
  }

  /** Milliseconds for which records have been waiting without a commit; 0 when none wait. */
  get waitingMs(): number {
    return this.#waitingSince === null ? 0 : this.#clock.monotonic() - this.#waitingSince
  }

  /** Throws what reading ended with: the log does not hold what comes next, or is damaged. */
  check(): void {
    if (this.#error) throw this.#error
  }

  /** Makes sure that what comes next is being read. */
  go(): void {
    if (!this.#isReading) void this.#read()
  }

  /** The first of those that wait are committed. */
  done(count: number): void {
    this.#waiting = this.#waiting.slice(count)
    this.#waitingSince = this.#waiting.length > 0 ? this.#clock.monotonic() : null
  }

  close(): void {
    this.#reader.close()
  }

  async #read(): Promise<void> {
    this.#isReading = true
    try {
      this.#waiting.push(...(await this.#reader.next()))
      this.#waitingSince ??= this.#clock.monotonic()
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'closed') this.#error = error
    }
    this.#isReading = false
    this.#changed()
  }
}
