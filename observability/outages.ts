import type { Logger } from 'pino'
import type { OutageEvents } from '../platform/outages.ts'

/** Says in a process's log that the log or the store is away, and that it is back. */
export function loggedOutages(service: 'log' | 'store', logger: Logger): OutageEvents {
  return {
    away: (what, error) => logger.error({ what, reason: error.message }, `the ${service} does not answer`),
    back: (what) => logger.info({ what }, `the ${service} answers again`),
  }
}
