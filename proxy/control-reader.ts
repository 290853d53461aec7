import type { Env } from '../cluster/env.ts'
import { followDecoded } from '../cluster/follow.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import type { LogReader } from '../log/log.ts'
import { decodeControl } from '../protocol/records/control.ts'
import type { ControlRecord } from '../protocol/records/control.ts'
import { controlTopic } from '../protocol/records/topics.ts'

type ConfigRecord = Extract<ControlRecord, { type: 'config' }>

/** Follows what controllers tell everybody; of that a proxy needs the configuration, and no hint to a worker. */
export class ControlReader {
  readonly #env: Env
  readonly #configured: (record: ConfigRecord) => void
  #reader: LogReader | null = null
  #isStopped = false

  constructor(env: Env, configured: (record: ConfigRecord) => void) {
    this.#env = env
    this.#configured = configured
  }

  /** Reads from the beginning, which is short as the topic is compacted, until stopped. Rejects as `follow` does. */
  async run(): Promise<void> {
    const { log, logger } = this.#env
    const request = () => log.range(controlTopic, 0)
    const range = await untilAnswered(this.#env, request, () => this.#isStopped)
    if (range === null) return
    this.#reader = log.read(controlTopic, 0, range.oldest)
    await followDecoded(this.#reader, decodeControl, logger, (record) => {
      if (record.type === 'config') this.#configured(record)
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#reader?.close()
  }
}
