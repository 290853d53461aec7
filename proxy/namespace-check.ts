import type { Env } from '../cluster/env.ts'
import { contradictionOf } from '../cluster/slot-groups.ts'
import type { Config } from '../config/config.ts'
import type { ControlRecord } from '../protocol/records/control.ts'

type NamespacesRecord = Extract<ControlRecord, { type: 'namespaces' }>

/**
 * Whether the groups of namespaces that a proxy is configured with are those of the cluster. It cannot ask the store;
 * controllers say what that has noted.
 */
export class NamespaceCheck {
  /** What a person must mend, in a line; null while nothing is wrong. */
  contradiction: string | null = null
  readonly #env: Env
  readonly #config: Config
  #term = 0

  constructor(env: Env, config: Config) {
    this.#env = env
    this.#config = config
  }

  /** What a leader says for good; one of a lower term than was heard knows no more. */
  heard({ term, groups }: NamespacesRecord): void {
    if (term < this.#term) return
    this.#term = term
    const before = this.contradiction
    this.contradiction = contradictionOf(this.#config, groups)
    this.#env.metrics.namespacesContradicted.set(this.contradiction === null ? 0 : 1)
    if (this.contradiction !== null && this.contradiction !== before)
      this.#env.logger.error(
        { reason: this.contradiction },
        'taking no new clients: rooms would be where they never were',
      )
  }
}
