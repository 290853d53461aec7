import type { LogRecord } from '../log/log.ts'
import type { LogErrorCode } from '../log/errors.ts'
import type { Hindrance } from '../platform/outages.ts'
import type { StoreErrorCode } from '../store/errors.ts'

/** What the engine and its clients say to each other. Both are always the same release of the same program. */

export type Side = 'log' | 'store'

export type ClientMessage =
  /** The first message: who connects. Whatever an older connection of the same client still holds is void. */
  | ['hello', client: string]
  | ['request', id: number, side: Side, name: string, values: unknown[]]
  /** Follow a partition from an offset; `credit` is how many bytes of records may be sent unasked. */
  | ['follow', reader: number, topic: string, partition: number, from: number, credit: number]
  | ['credit', reader: number, bytes: number]
  | ['unfollow', reader: number]

export type ServerMessage =
  | ['answer', id: number, answer: unknown]
  | ['refusal', id: number, code: LogErrorCode | StoreErrorCode, message: string, hindrance: Hindrance | null]
  | ['records', reader: number, records: LogRecord[]]
  | ['broken', reader: number, code: LogErrorCode, message: string]

/** Values of one request. */
const requestValuesMax = 8

type Fits = (value: unknown) => boolean

const text: Fits = (value) => typeof value === 'string'
const count: Fits = Number.isSafeInteger
/** No request takes as many values. */
const values: Fits = (value) => Array.isArray(value) && value.length <= requestValuesMax
const side: Fits = (value) => value === 'log' || value === 'store'

/** What follows a message's first member. */
const members: ReadonlyMap<unknown, readonly Fits[]> = new Map<ClientMessage[0], readonly Fits[]>([
  ['hello', [text]],
  ['request', [count, side, text, values]],
  ['follow', [count, text, count, count, count]],
  ['credit', [count, count]],
  ['unfollow', [count]],
])

/**
 * Whether what came is a message. Anybody who may open the socket can say anything, so nothing is believed before;
 * the values of a request are the matter of those who run it, and whatever they throw refuses it.
 */
export function isClientMessage(message: unknown): message is ClientMessage {
  if (!Array.isArray(message)) return false
  const expected = members.get(message[0])
  return expected?.length === message.length - 1 && expected.every((fits, index) => fits(message[index + 1]))
}
