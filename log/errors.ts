import { SeamError } from '../platform/errors.ts'

/** What an error of a log means for the request that met it; only `unavailable` passes by itself. */
export const logErrorCodes = [
  'unavailable', // no answer: for an append the outcome is unknown
  'too_large', // an append that the log will never take
  'out_of_range', // the place to read from is older than `oldest` or newer than `next`
  'unknown_topic', // the log has no such topic, or no such partition of it
  'topic_mismatch', // a topic exists with other settings, or holds what we never write
  'denied', // of createTopics: anywhere else, where a cluster runs, it may be mended meanwhile and is `unavailable`
  'closed', // the log or the reader was closed, by us
] as const

/** A code of a log's error. */
export type LogErrorCode = (typeof logErrorCodes)[number]

/** What every method of a log and its readers rejects with. */
export class LogError extends SeamError<LogErrorCode> {}
