import type { Logger } from 'pino'
import type { MysqlEvents } from '../store/mysql/events.ts'
import type { Metrics } from './metrics.ts'
import { loggedOutages } from './outages.ts'

/** What the MySQL adapter tells, as metrics and in the process's log. */
export function mysqlEvents(metrics: Metrics, logger: Logger): MysqlEvents {
  return {
    ...loggedOutages('store', logger),
    retried: (reason) => metrics.mysqlRetries.inc({ reason }),
    connections: (open) => metrics.mysqlConnections.set(open),
    requests(running, waiting) {
      metrics.mysqlRequestsRunning.set(running)
      metrics.mysqlRequestsWaiting.set(waiting)
    },
    roundTrip: (seconds) => metrics.mysqlRoundTripDuration.observe(seconds),
    joined: (slots, apart) => metrics.mysqlCommitSlots.observe({ result: apart ? 'apart' : 'together' }, slots),
  }
}
