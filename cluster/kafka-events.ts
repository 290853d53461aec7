import type { KafkaEvents } from '../log/kafka/events.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { OutageEvents } from '../platform/outages.ts'

/** What the Kafka adapter tells, as metrics; `outages` are told the rest. */
export function kafkaEvents(metrics: Metrics, outages: OutageEvents): KafkaEvents {
  return {
    ...outages,
    request(kind, seconds, isAnswered) {
      metrics.kafkaRequests.inc({ kind, result: isAnswered ? 'ok' : 'unavailable' })
      if (isAnswered) metrics.kafkaRequestDuration.observe({ kind }, seconds)
    },
    gathered: (records) => metrics.kafkaAppendRecords.observe(records),
    failed: (kind, error) => metrics.kafkaErrors.inc({ kind, error }),
    buffered: (bytes) => metrics.kafkaBuffered.set(bytes),
  }
}
