import type { Env } from '../cluster/env.ts'
import { followDecoded } from '../cluster/follow.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import type { LogReader } from '../log/log.ts'
import { decodeControl } from '../protocol/records/control.ts'
import type { ControlRecord } from '../protocol/records/control.ts'
import { controlTopic } from '../protocol/records/topics.ts'

/** What controllers tell everybody; the others are hints to workers. */
export type Told = Extract<ControlRecord, { type: 'config' | 'namespaces' }>

/** A proxy waits no longer than this, in ms, to hear what was told before it came. */
export const toldMaxMs = 2_000

/** Follows what controllers tell everybody. */
export class ControlReader {
  readonly #env: Env
  readonly #told: (record: Told) => void
  readonly #caughtUp = Promise.withResolvers<void>()
  #reader: LogReader | null = null
  #isStopped = false

  constructor(env: Env, told: (record: Told) => void) {
    this.#env = env
    this.#told = told
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
    const hear = (record: ControlRecord) => {
      if (record.type === 'config' || record.type === 'namespaces') this.#told(record)
    }
    passed(range.oldest)
    await followDecoded(this.#reader, decodeControl, logger, hear, passed)
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
