import protocolErrors from 'kafkajs/src/protocol/error.js'
import type { Hindrance } from '../../platform/outages.ts'
import { LogError, type LogErrorCode } from '../errors.ts'

/** Names of the errors that do not pass. */
const lasting: Record<string, LogErrorCode> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'unknown_topic',
  MESSAGE_TOO_LARGE: 'too_large',
  RECORD_LIST_TOO_LARGE: 'too_large',
}

/** What a broker says that is there and takes nothing. One whose disks are all full ends, and does not answer. */
const hindrances: Record<string, Hindrance> = {
  KAFKA_STORAGE_ERROR: 'disk',
  NOT_ENOUGH_REPLICAS: 'too_few_replicas',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'too_few_replicas',
}

/** What a partition answered, as the seam says it. */
export function failureOfCode(code: number, what: string): LogError {
  const error = protocolErrors.createErrorFromCode(code)
  const hindrance = hindrances[error.type] ?? null
  return new LogError(codeOf(error.type), `${what}: ${error.type}, ${error.message}`, { cause: error, hindrance })
}

function codeOf(type: string | undefined): LogErrorCode {
  return (type === undefined ? undefined : lasting[type]) ?? 'unavailable'
}

/** What kafkajs threw, as the seam says it: nearly all of it passes. */
export function failureOf(error: unknown, what: string): LogError {
  if (error instanceof LogError) return error
  const { message, type, errors } = error as Error & { type?: string; errors?: Error[] }
  // Several at once say nothing themselves.
  const messages = errors?.map((each) => each.message).join('; ') ?? message
  return new LogError(codeOf(type), `${what}: ${messages}`, { cause: error })
}

/** What Kafka answers to who may not do it (kafka.apache.org/protocol#protocol_error_codes). */
const deniedTypes = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
])

/** What Node says of a certificate that leads to no authority it trusts, or names somebody else. */
const certificateCodes = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** kafkajs gives a login that broke off the same name as one that was refused. */
const brokeOff = /closed|timeout|timed out|connection error/i

/** True when nobody but a person can mend it: a wrong password, no right, a certificate that is not trusted. */
export function isDenied(error: Error): boolean {
  const { name, message, type = '', code = '', cause } = error as Error & { type?: string; code?: string }
  if (name === 'KafkaJSSASLAuthenticationError') return !brokeOff.test(message)
  // kafkajs wraps what it gave up trying.
  return deniedTypes.has(type) || certificateCodes.has(code) || (cause instanceof Error && isDenied(cause))
}

/** The name that Kafka has for the error, or else kafkajs. */
export function errorName(error: LogError): string {
  const { type, name } = (error.cause ?? error) as Error & { type?: string }
  return type ?? name
}
