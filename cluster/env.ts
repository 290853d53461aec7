import type { Logger } from 'pino'
import type { Log } from '../log/log.ts'
import type { Store } from '../store/store.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'

/** All that a process reaches beyond its own memory. Proxies run on this alone: they hold no store credentials. */
export interface Env {
  clock: Clock
  random: Random
  log: Log
  logger: Logger
  metrics: Metrics
}

/** What workers and controllers run on. */
export interface StoreEnv extends Env {
  store: Store
}
