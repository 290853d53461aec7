import type { LaneOptions } from '../log/append-lane.ts'
import { LogError } from '../log/errors.ts'
import type { Env } from './env.ts'

/** What an append lane reports to: metrics, and one line in the log of the process for the first entry that is dropped. */
export function laneReports(
  { metrics, logger }: Pick<Env, 'metrics' | 'logger'>,
  topic: string,
): Pick<LaneOptions, 'tried' | 'dropped'> {
  const duration = metrics.appendDuration.labels({ topic })
  const retries = metrics.appendRetries.labels({ topic })
  const dropped = metrics.appendsDropped.labels({ topic })
  let isSaid = false
  return {
    tried(durationMs, error) {
      duration.observe(durationMs / 1000)
      if (error && !(error instanceof LogError && error.code === 'too_large')) retries.inc()
    },
    dropped(bytes, error) {
      dropped.inc()
      if (isSaid) return
      isSaid = true
      logger.error({ topic, bytes, reason: error.message }, 'a record that the log can never take is dropped')
    },
  }
}
