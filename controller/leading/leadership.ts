import type { StoreEnv } from '../../cluster/env.ts'

/** Another controller that leads, and for how long it would without renewing. */
export interface Holder {
  leader: string
  leftMs: number
}

/** How long a leader leads without renewing, by the store's clock; and how often it renews. */
export const leaderMs = { ttl: 3_000, renew: 1_000 }

/** Who waits to lead for longer than this says so, once: by then a leader that is dead would have been followed. */
export const leaderWaitSaidMs = 2 * leaderMs.ttl

/** One of the controllers leads, for a term that the store gives out. */
export class Leadership {
  readonly #env: StoreEnv
  /** Id of this controller. */
  readonly candidate: string
  #term = 0
  /** The highest term that is known to have been used: whoever follows hints drops those of a lower one. */
  #heard = 0
  /** Monotonic ms, by our own clock: counted from before the store was asked, so never longer than the store's. */
  #until = 0
  #holder: Holder | null = null
  /** Monotonic ms since which another leads; null while none does. */
  #waitsSince: number | null = null
  #hasSaid = false

  constructor(env: StoreEnv, candidate: string) {
    this.#env = env
    this.candidate = candidate
  }

  /**
   * By a clock that only goes forward: a term that may have ended counts as ended. So does one below another that was
   * heard of: nobody would follow it.
   */
  get isHeld(): boolean {
    return this.#env.clock.monotonic() < this.#until && this.#term >= this.#heard
  }

  /** The last term held; of use only while it is. */
  get term(): number {
    return this.#term
  }

  /** Whom it waits for, as the store said last; null when it leads, or has not been told. */
  get holder(): Holder | null {
    return this.#holder
  }

  /** A hint of this term is in the log, or somebody follows it (the log may keep it no longer: hints are compacted). */
  heard(term: number): void {
    this.#heard = Math.max(this.#heard, term)
  }

  /** Takes or renews the lead when it is time to. */
  async renew(): Promise<void> {
    const { clock, store, logger } = this.#env
    const now = clock.monotonic()
    if (this.isHeld && this.#until - leaderMs.ttl + leaderMs.renew > now) return
    const { term, leader, leftMs } = await store.lead(this.candidate, leaderMs.ttl, this.#heard)
    if (leader !== this.candidate) return this.#wait(now, { leader, leftMs })
    this.#holder = null
    this.#waitsSince = null
    if (term !== this.#term) logger.info({ term }, 'leading')
    this.#term = term
    this.#until = now + leaderMs.ttl
  }

  #wait(now: number, holder: Holder): void {
    this.#until = 0
    if (holder.leader !== this.#holder?.leader) this.#hasSaid = false
    this.#holder = holder
    this.#waitsSince ??= now
    if (this.#hasSaid || now - this.#waitsSince < leaderWaitSaidMs) return
    this.#hasSaid = true
    this.#env.logger.info(holder, 'another controller leads: waiting to follow it')
  }
}
