import type { OutageEvents } from '../../platform/outages.ts'

/** What a request to a broker is for. `first_read` is made beside the others by a reader that begins. */
export type RequestKind = 'append' | 'read' | 'first_read' | 'range' | 'trim' | 'leader' | 'progress' | 'topics'

/** What the adapter tells about itself, for metrics and the process's log. Away is `broker 1`, `topic inbox`, `kafka`,
 * or `appends` where brokers answer and take nothing. */
export interface KafkaEvents extends OutageEvents {
  /** A request was answered, or was not, after so long. */
  request(kind: RequestKind, seconds: number, isAnswered: boolean): void
  /** An append request carries so many records. */
  gathered(records: number): void
  /** A request was not answered, or a partition was refused: the error as Kafka or kafkajs calls it. */
  failed(kind: RequestKind, error: string): void
  /** Bytes that all readers hold ready. */
  buffered(bytes: number): void
}

/** For whoever measures nothing, as tools and tests. */
export const noEvents: KafkaEvents = {
  request() {},
  gathered() {},
  failed() {},
  buffered() {},
  away() {},
  back() {},
}
