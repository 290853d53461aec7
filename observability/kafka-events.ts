import type { Logger } from 'pino'
import type { KafkaEvents } from '../log/kafka/events.ts'
import type { Metrics } from './metrics.ts'
import { loggedOutages } from './outages.ts'

/** What the Kafka adapter tells, as metrics and in the process's log. */
export function kafkaEvents(metrics: Metrics, logger: Logger): KafkaEvents {
  return {
    ...loggedOutages('log', logger),
    request(kind, seconds, isAnswered) {
      metrics.kafkaRequests.inc({ kind, result: isAnswered ? 'ok' : 'unavailable' })
      if (isAnswered) metrics.kafkaRequestDuration.observe({ kind }, seconds)
    },
    gathered: (records) => metrics.kafkaAppendRecords.observe(records),
    failed: (kind, error) => metrics.kafkaErrors.inc({ kind, error }),
    buffered: (bytes) => metrics.kafkaBuffered.set(bytes),
  }
}
