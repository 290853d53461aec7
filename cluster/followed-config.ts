import { configKey } from '../protocol/records/control.ts'
import type { ControlRecord } from '../protocol/records/control.ts'
import type { FormatError } from '../protocol/records/errors.ts'
import type { FollowedConfig as Followed } from '../protocol/records/heartbeat.ts'
import type { Env } from './env.ts'

type ConfigRecord = Extract<ControlRecord, { type: 'config' }>

/** Characters of why a configuration is rejected that everybody is told: it may name what is in it, whatever that is. */
export const rejectedLengthMax = 300

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
    this.#env.metrics.configVersion.set(revision)
    this.#follow(revision, this.#env.faults.set(faults))
  }

  /** A record that cannot be read: false unless it stands in the place of a configuration, which is then rejected. */
  unreadable(key: Buffer | null, { message }: FormatError): boolean {
    if (key?.toString() !== configKey) return false
    this.#follow(this.#state?.revision ?? 0, message)
    return true
  }

  #follow(revision: number, why: string | null): void {
    const rejected = why?.slice(0, rejectedLengthMax).replaceAll(/\p{Cc}/gu, '�')
    if (rejected !== undefined) {
      this.#env.metrics.configRejects.inc()
      this.#env.logger.warn({ revision, rejected }, 'a configuration is rejected')
    }
    this.#state = { revision, ...(rejected !== undefined && { rejected }) }
    this.#changed()
  }
}
