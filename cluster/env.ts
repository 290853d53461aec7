import type { Logger } from 'pino'
import type { Log } from '../log/log.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { Store } from '../store/store.ts'
import type { Faults } from './faults/faults.ts'

/** All that a process reaches beyond its own memory. Proxies run on this alone: they hold no store credentials. */
export interface Env {
  /** Time, of this machine or virtual. */
  clock: Clock
  /** Ids, tokens and jitter; a seed replays them in the simulation. */
  random: Random
  /** The log that the configuration names. */
  log: Log
  /** Of the process: lines for people, on standard error. */
  logger: Logger
  /** Of the process, all of them; it moves those of its role. */
  metrics: Metrics
  /** Of the process: what operators have set to go wrong in it. */
  faults: Faults
}

/** What workers and controllers run on. */
export interface StoreEnv extends Env {
  /** The store that the configuration names. */
  store: Store
}
