import type { LogEntry, LogRange, TopicSpec } from '../log.ts'

/** Requests of the log seam that a client sends; reading is done by following. */
export interface LogRequests {
  createTopics(topics: TopicSpec[]): void
  append(topic: string, partition: number, entries: LogEntry[]): number
  range(topic: string, partition: number): LogRange
  trim(topic: string, partition: number, before: number): void
}
