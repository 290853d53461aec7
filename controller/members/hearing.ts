import type { Env } from '../../cluster/env.ts'
import { followDecoded } from '../../cluster/follow.ts'
import type { Listener } from '../../cluster/follow.ts'
import type { LogRange, LogReader } from '../../log/log.ts'
import { decodeControl } from '../../protocol/records/control.ts'
import type { ControlRecord } from '../../protocol/records/control.ts'
import type { FormatError } from '../../protocol/records/errors.ts'
import { decodeStatus } from '../../protocol/records/status.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import { controlTopic } from '../../protocol/records/topics.ts'
import { heard, heardKept } from './heard.ts'

/** A log that is away, or lost what it had, keeps a controller from its work for no longer than this. */
export const recallMaxMs = 2_000

/** Who is told what. */
export interface HearingOptions {
  /** Announced since the controller began. */
  news: (record: StatusRecord) => void
  /** Announced before, and every hint, whoever sent it. */
  past: (record: StatusRecord | ControlRecord) => void
  /** A hint that cannot be read, by its key. */
  unreadable: (key: Buffer | null, error: FormatError) => void
  /** The log can no longer be followed. */
  failed: (error: unknown) => void
}

/** Where a controller begins to hear: the ranges of what it listens to. */
export interface HearingPlaces {
  control: LogRange
  /** In the order of `heard`. */
  announced: LogRange[]
}

/** Follows all that a controller listens to, and knows news from what was there before it. */
export class Hearing {
  readonly #env: Env
  readonly #options: HearingOptions
  readonly #readers: LogReader[] = []
  /** What was there when it began still counts as the past. */
  #isRecalling = true

  constructor(env: Env, options: HearingOptions) {
    this.#env = env
    this.#options = options
  }

  /** Where everything is now. */
  async places(): Promise<HearingPlaces> {
    const { log } = this.#env
    const control = await log.range(controlTopic, 0)
    return { control, announced: await Promise.all(heard.map(([topic, partition]) => log.range(topic, partition))) }
  }

  /** Resolves when it has told the past, or has waited long enough for it. */
  async start({ control, announced }: HearingPlaces): Promise<void> {
    const { log, clock } = this.#env
    const { past, unreadable } = this.#options
    void this.#follow(log.read(controlTopic, 0, control.oldest), { decode: decodeControl, handle: past, unreadable })
    const recalled = heard.map(([topic, partition], index) => this.#recall(topic, partition, announced[index]!))
    await Promise.race([Promise.all(recalled), clock.sleep(recallMaxMs)])
    this.#isRecalling = false
  }

  stop(): void {
    for (const reader of this.#readers) reader.close()
  }

  /** Resolves when it has read up to where the partition ended. */
  #recall(topic: string, partition: number, { oldest, next }: LogRange): Promise<void> {
    const from = Math.max(oldest, next - heardKept.recalled)
    const { promise, resolve } = Promise.withResolvers<void>()
    const handle = (record: StatusRecord, offset: number) =>
      offset < next && this.#isRecalling ? this.#options.past(record) : this.#options.news(record)
    const passed = (at: number) => {
      if (at >= next) resolve()
    }
    passed(from)
    const reader = this.#env.log.read(topic, partition, from)
    void this.#follow(reader, { decode: decodeStatus, handle, passed }).then(resolve)
    return promise
  }

  async #follow<T>(reader: LogReader, listener: Listener<T>): Promise<void> {
    this.#readers.push(reader)
    try {
      await followDecoded(reader, this.#env.logger, listener)
    } catch (error) {
      this.#options.failed(error)
    }
  }
}
