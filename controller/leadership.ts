import type { StoreEnv } from '../platform/env.ts'

/** How long a leader leads without renewing, by the store's clock; and how often it renews. */
export const leaderMs = { ttl: 3_000, renew: 1_000 }

/** One of the controllers leads, for a term that the store gives out. */
export class Leadership {
  readonly #env: StoreEnv
  readonly #candidate: string
  #term = 0
  /** Monotonic ms, by our own clock: counted from before the store was asked, so never longer than the store's. */
  #until = 0

  constructor(env: StoreEnv, candidate: string) {
    this.#env = env
    this.#candidate = candidate
  }

  get isHeld(): boolean {
    return this.#env.clock.monotonic() < this.#until
  }

  /** The last term held; of use only while it is. */
  get term(): number {
    return this.#term
  }

  /** Takes or renews the lead when it is time to. */
  async renew(): Promise<void> {
    const { clock, store, logger } = this.#env
    const now = clock.monotonic()
    if (this.#until - leaderMs.ttl + leaderMs.renew > now) return
    const { term, leader } = await store.lead(this.#candidate, leaderMs.ttl)
    if (leader !== this.#candidate) {
      this.#until = 0
      return
    }
    if (term !== this.#term) logger.info({ term }, 'leading')
    this.#term = term
    this.#until = now + leaderMs.ttl
  }
}
