import type { Metrics } from '../observability/metrics.ts'

/** What an append lane reports each try to. */
export function laneMetrics(metrics: Metrics, topic: string): (durationMs: number, error: unknown) => void {
  const duration = metrics.appendDuration.labels({ topic })
  const retries = metrics.appendRetries.labels({ topic })
  return (durationMs, error) => {
    duration.observe(durationMs / 1000)
    if (error) retries.inc()
  }
}
