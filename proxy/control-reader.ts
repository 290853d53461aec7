import type { Env } from '../cluster/env.ts'
import { followDecoded } from '../cluster/follow.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import type { LogReader } from '../log/log.ts'
import { decodeControl } from '../protocol/records/control.ts'
import type { ControlRecord } from '../protocol/records/control.ts'
import type { FormatError } from '../protocol/records/errors.ts'
import { controlTopic } from '../protocol/records/topics.ts'

/** What controllers tell everybody; the others are hints to workers. */
export type Told = Extract<ControlRecord, { type: 'config' | 'namespaces' }>

/** Who is told. */
export interface ControlListener {
  told: (record: Told) => void
  /** Of what cannot be read, by its key. */
  unreadable: (key: Buffer | null, error: FormatError) => void
}

/** A proxy waits no longer than this, in ms, to hear what was told before it came. */
export const toldMaxMs = 2_000

/** Follows what controllers tell everybody. */
export class ControlReader {
  readonly #env: Env
  readonly #listener: ControlListener
  readonly #caughtUp = Promise.withResolvers<void>()
  #reader: LogReader | null = null
  #isStopped = false

  constructor(env: Env, listener: ControlListener) {
    this.#env = env
    this.#listener = listener
  }

  /** Reads from the beginning, which is short as the topic is compacted, until stopped. Rejects as `follow` does. */
  async run(): Promise<void> {
    const { log, logger } = this.#env
    const request = () => log.range(controlTopic, 0)
    const range = await untilAnswered(this.#env, request, () => this.#isStopped)
    if (range === null) return
    this.#reader = log.read(controlTopic, 0, range.oldest)
    const passed = (next: number) => {
      if (next >= range.next) this.#caughtUp.resolve()
    }
    const handle = (record: ControlRecord) => {
      if (record.type === 'config' || record.type === 'namespaces') this.#listener.told(record)
    }
    passed(range.oldest)
    const { unreadable } = this.#listener
    await followDecoded(this.#reader, logger, { decode: decodeControl, handle, unreadable, passed })
  }

  /** Resolves when it has heard what was told before it came, or has waited long enough for it. */
  async caughtUp(): Promise<void> {
    await Promise.race([this.#caughtUp.promise, this.#env.clock.sleep(toldMaxMs)])
  }

  stop(): void {
    this.#isStopped = true
    this.#reader?.close()
  }
}
