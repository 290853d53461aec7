import protocolErrors from 'kafkajs/src/protocol/error.js'
import { LogError } from '../log.ts'

/** Error codes of Kafka's protocol that are treated each in its own way (kafka.apache.org/protocol#protocol_error_codes). */
export const kafkaCodes = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopic: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  sessionNotFound: 70,
  sessionEpoch: 71,
} as const

/** What a partition answered, as the seam says it. */
export function failureOfCode(code: number, what: string): LogError {
  const error = protocolErrors.createErrorFromCode(code)
  const kind = code === kafkaCodes.unknownTopic ? 'unknown_topic' : 'unavailable'
  return new LogError(kind, `${what}: ${error.type}, ${error.message}`, { cause: error })
}

/** What kafkajs threw, as the seam says it: nearly all of it passes. */
export function failureOf(error: unknown, what: string): LogError {
  if (error instanceof LogError) return error
  const { message, type, errors } = error as Error & { type?: string; errors?: Error[] }
  const kind = type === 'UNKNOWN_TOPIC_OR_PARTITION' ? 'unknown_topic' : 'unavailable'
  // Several at once say nothing themselves.
  const messages = errors?.map((each) => each.message).join('; ') ?? message
  return new LogError(kind, `${what}: ${messages}`, { cause: error })
}

/** The name that Kafka has for the error, or else kafkajs. */
export function errorName(error: LogError): string {
  const { type, name } = (error.cause ?? error) as Error & { type?: string }
  return type ?? name
}
