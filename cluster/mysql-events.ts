import type { Metrics } from '../observability/metrics.ts'
import type { OutageEvents } from '../platform/outages.ts'
import type { MysqlEvents } from '../store/mysql/events.ts'

/** What the MySQL adapter tells, as metrics; `outages` are told the rest. */
export function mysqlEvents(metrics: Metrics, outages: OutageEvents): MysqlEvents {
  return {
    ...outages,
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
