import type { Env } from '../cluster/env.ts'
import { follow } from '../cluster/follow.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import type { LogReader } from '../log/log.ts'
import { partitionOf } from '../protocol/partition.ts'
import { heartbeatPartitions, heartbeatTopic } from '../protocol/records/topics.ts'

/** Watches this process's own heartbeats come back: the proof that the log carries what it sends. */
export class Echo {
  readonly #env: Env
  readonly #id: Buffer
  readonly #partition: number
  #reader: LogReader | null = null
  #isStopped = false
  /** Monotonic ms of the last one. */
  lastAt: number

  constructor(env: Env, id: string) {
    this.#env = env
    this.#id = Buffer.from(`"${id}"`)
    this.#partition = partitionOf(id, heartbeatPartitions)
    this.lastAt = env.clock.monotonic()
  }

  /** Reads from the end on until stopped; rejects when the log can no longer be followed. */
  async run(): Promise<void> {
    const range = await untilAnswered(
      this.#env,
      () => this.#env.log.range(heartbeatTopic, this.#partition),
      () => this.#isStopped,
    )
    if (range === null) return
    this.#reader = this.#env.log.read(heartbeatTopic, this.#partition, range.next)
    await follow(this.#reader, (records) => {
      if (records.some((record) => record.value.includes(this.#id))) this.lastAt = this.#env.clock.monotonic()
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#reader?.close()
  }
}
