import type { LogErrorCode } from '../log/errors.ts'
import type { LogRecord } from '../log/log.ts'
import type { Hindrance } from '../platform/outages.ts'
import type { StoreErrorCode } from '../store/errors.ts'

/** What the engine and its clients say to each other. Both are always the same release of the same program. */

/** Which seam a request belongs to: the engine serves both from one file. */
export type Side = 'log' | 'store'

/** What a client says. Numbers of requests and readers are its own, each used once in a connection. */
export type ClientMessage =
  /** The first message: who connects. Whatever an older connection of the same client still holds is void. */
  | ['hello', client: string]
  /** A method of the seam by name, with its arguments. Made once, and answered once if the connection lasts. */
  | ['request', id: number, side: Side, name: string, values: unknown[]]
  /** Follow a partition from an offset; `credit` is how many bytes of records may be sent unasked. */
  | ['follow', reader: number, topic: string, partition: number, from: number, credit: number]
  /** So many bytes of records more may be sent. */
  | ['credit', reader: number, bytes: number]
  /** The reader is closed. */
  | ['unfollow', reader: number]

/** What the engine says, to requests and readers by the client's numbers. */
export type ServerMessage =
  /** What the method resolved with. */
  | ['answer', id: number, answer: unknown]
  /** What it rejected with, so that the client rejects with the same. */
  | ['refusal', id: number, code: LogErrorCode | StoreErrorCode, message: string, hindrance: Hindrance | null]
  /** In order and without gaps. */
  | ['records', reader: number, records: LogRecord[]]
  /** The reader cannot go on; nothing more comes for it. */
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
