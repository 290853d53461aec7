import type { LogReader } from '../log/log.ts'
import type { Env } from '../platform/env.ts'
import { follow } from '../platform/follow.ts'
import { statusTopic } from '../protocol/topics.ts'

/** Watches this process's own announcements come back: the proof that the log carries what it sends. */
export class Echo {
  readonly #env: Env
  readonly #id: Buffer
  #reader: LogReader | null = null
  /** Monotonic ms of the last one. */
  lastAt: number

  constructor(env: Env, id: string) {
    this.#env = env
    this.#id = Buffer.from(`"${id}"`)
    this.lastAt = env.clock.monotonic()
  }

  async run(): Promise<void> {
    const { next } = await this.#env.log.range(statusTopic, 0)
    this.#reader = this.#env.log.read(statusTopic, 0, next)
    await follow(this.#reader, (records) => {
      if (records.some((record) => record.value.includes(this.#id))) this.lastAt = this.#env.clock.monotonic()
    })
  }

  stop(): void {
    this.#reader?.close()
  }
}
