import type { Logger } from 'pino'
import { hindranceWords, type OutageEvents } from '../platform/outages.ts'

/** Says in a process's log that the log or the store is away, or takes nothing, and that it is back. */
export function loggedOutages(service: 'log' | 'store', logger: Logger): OutageEvents {
  return {
    away(what, error) {
      const { message: reason, hindrance } = error
      logger.error({ what, reason }, `the ${service} ${hindrance ? hindranceWords[hindrance] : 'does not answer'}`)
    },
    back: (what) => logger.info({ what }, `the ${service} answers again`),
  }
}
