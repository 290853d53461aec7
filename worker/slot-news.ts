import type { Env } from '../cluster/env.ts'
import type { SlotId } from '../protocol/slot.ts'

/** While slots come and go without a break, what came so far is told after this time. */
export const newsWaitMaxMs = 10_000

interface Taken {
  slot: SlotId
  epoch: number
  kind: 'takeover' | 'planned'
  /** How long nobody owned it, as far as is known. */
  pauseMs: number
}

/** Tells in the process's log which slots came and went: one line once that has settled, each of them at debug. */
export class SlotNews {
  readonly #env: Pick<Env, 'clock' | 'logger'>
  #taken = 0
  #left = 0
  #pauseMaxMs = 0
  /** Monotonic time of the first that was not told, null when all was. */
  #since: number | null = null
  #isFresh = false

  constructor(env: Pick<Env, 'clock' | 'logger'>) {
    this.#env = env
  }

  /** A slot has become ours. */
  taken(taken: Taken): void {
    this.#env.logger.debug(taken, 'slot taken')
    this.#taken += 1
    this.#pauseMaxMs = Math.max(this.#pauseMaxMs, taken.pauseMs)
    this.#note()
  }

  /** A slot is ours no more. */
  left(slot: SlotId, epoch: number, end: string): void {
    this.#env.logger.debug({ slot, epoch, end }, 'slot left')
    this.#left += 1
    this.#note()
  }

  /** To be called again and again; tells when nothing came since the last call. */
  look(owned: number): void {
    if (this.#since === null) return
    const isSettled = !this.#isFresh || this.#env.clock.monotonic() - this.#since >= newsWaitMaxMs
    this.#isFresh = false
    if (isSettled) this.tell(owned)
  }

  /** Tells what was not told yet. */
  tell(owned: number): void {
    if (this.#since === null) return
    const [taken, left, pauseMaxMs] = [this.#taken, this.#left, this.#pauseMaxMs]
    this.#env.logger.info({ taken, left, owned, pauseMaxMs }, 'slots')
    this.#taken = this.#left = this.#pauseMaxMs = 0
    this.#since = null
  }

  #note(): void {
    this.#since ??= this.#env.clock.monotonic()
    this.#isFresh = true
  }
}
