import type { ControlRecord } from '../protocol/records/control.ts'
import type { FollowedConfig as Followed } from '../protocol/records/heartbeat.ts'
import type { Env } from './env.ts'

type ConfigRecord = Extract<ControlRecord, { type: 'config' }>

/** What this process follows of the operators' configuration: the newest that it heard of, as far as it can. */
export class FollowedConfig {
  readonly #env: Env
  readonly #changed: () => void
  #term = 0
  #state: Followed | null = null

  /** `changed` is called when there is news for the heartbeat. */
  constructor(env: Env, changed: () => void) {
    this.#env = env
    this.#changed = changed
  }

  /** A member of a heartbeat, to spread; none before the first. */
  get member(): { config?: Followed } {
    return this.#state === null ? {} : { config: this.#state }
  }

  /** One of an older term changes nothing; within a term the last one holds. */
  heard({ term, revision, faults }: ConfigRecord): void {
    if (term < this.#term) return
    this.#term = term
    const rejected = this.#env.faults.set(faults)
    this.#env.metrics.configVersion.set(revision)
    if (rejected !== null) {
      this.#env.metrics.configRejects.inc()
      this.#env.logger.warn({ revision, rejected }, 'a configuration is rejected')
    }
    this.#state = { revision, ...(rejected !== null && { rejected }) }
    this.#changed()
  }
}
