import type { StoreEnv } from '../platform/env.ts'
import { errors } from '../protocol/codes.ts'
import type { EventError } from '../protocol/event-record.ts'
import { StoreError } from '../store/store.ts'
import type { SlotId } from '../store/store.ts'
import type { App } from './app/app.ts'
import type { AnsweredRead } from './batch.ts'
import type { Lanes } from './lanes.ts'

/** Reads that wait for their turn at most; the next one is answered with "too many requests". */
export const readsWaitingMax = 2_000

const nothing = Buffer.alloc(0)

export interface ReadsOptions {
  worker: string
  version: string
  concurrency: number
}

/** Answers reads after their batch is committed, from committed rows, a few at a time. */
export class Reads {
  readonly #env: StoreEnv
  readonly #app: App
  readonly #lanes: Lanes
  readonly #options: ReadsOptions
  readonly #waiting: { slot: SlotId; read: AnsweredRead }[] = []
  #running = 0

  constructor(env: StoreEnv, app: App, lanes: Lanes, options: ReadsOptions) {
    this.#env = env
    this.#app = app
    this.#lanes = lanes
    this.#options = options
  }

  add(slot: SlotId, read: AnsweredRead): void {
    if (this.#waiting.length >= readsWaitingMax) return this.#answer(slot, read, { error: errors.tooManyRequests })
    this.#waiting.push({ slot, read })
    this.#next()
  }

  #next(): void {
    while (this.#running < this.#options.concurrency && this.#waiting.length > 0) {
      const { slot, read } = this.#waiting.shift()!
      this.#running++
      void this.#run(slot, read).finally(() => {
        this.#running--
        this.#next()
      })
    }
    this.#env.metrics.readsWaiting.set(this.#waiting.length)
  }

  async #run(slot: SlotId, read: AnsweredRead): Promise<void> {
    try {
      const messages = read.query === null ? [] : await this.#env.store.messages(slot, read.query)
      this.#answer(slot, read, this.#app.answer(read.read, messages))
    } catch (error) {
      // The proxy asks again until its deadline; that is where the retry of a read belongs.
      if (error instanceof StoreError && error.code === 'unavailable') {
        this.#env.metrics.readsDropped.inc()
        return
      }
      this.#env.logger.error({ err: error, slot }, 'read failed')
      this.#answer(slot, read, { error: errors.internal })
    }
  }

  #answer(slot: SlotId, { instance, n }: AnsweredRead, result: { body: string } | { error: EventError }): void {
    const { worker, version } = this.#options
    const error = 'error' in result ? result.error : null
    const body = 'body' in result ? Buffer.from(result.body) : nothing
    this.#lanes.answer({ type: 'answer', slot, to: instance, n, worker, version, error, body })
  }
}
