import type { CommandError } from '../client/codes.ts'
import type { SlotId } from '../slot.ts'
import type { TraceContext } from '../trace.ts'
import { encodeEnvelope } from './envelope.ts'
import { FormatError } from './errors.ts'
import { commandErrorOf, traced } from './members.ts'
import { checkShape, shapeOf } from './shape.ts'
import type { Members } from './shape.ts'
import { recordBytesMax } from './sizes.ts'

/** Out of band: answer of a read, without a position. */
export interface AnswerRecord {
  type: 'answer'
  /** The slot that was asked. */
  slot: SlotId
  /** The instance that asked. */
  to: string
  /** Number of the command that is answered. */
  n: number
  /** Who answers: parts of two answers are told apart by it. */
  worker: string
  /** Version of that worker. */
  version: string
  /** Set in place of a body. */
  error: CommandError | null
  /** Which bytes of a large answer these are; null when `body` is all of it. */
  part: AnswerPart | null
  /** Of the command. */
  trace?: TraceContext | undefined
  /** JSON of the method's result; empty with an error. */
  body: Buffer
}

/** Where a part of an answer begins, and the bytes of the whole. */
export interface AnswerPart {
  /** Bytes before it. */
  from: number
  /** Bytes of all parts. */
  of: number
}

/** The record of an answer, or of one part of it. */
export function encodeAnswer(answer: AnswerRecord): Buffer {
  const { body, part, ...header } = answer
  return encodeEnvelope(part === null ? header : { ...header, part }, body)
}

const answerShape = shapeOf({
  slot: 'slot',
  n: 'count',
  worker: 'text',
  version: 'text',
  error: 'object?',
  part: 'object?',
})
const partShape = shapeOf({ from: 'count', of: 'count' })

/** The inverse of encodeAnswer, for the one that it is for. Throws FormatError. */
export function decodeAnswer(header: Members, payload: Buffer, instance: string): AnswerRecord {
  checkShape(header, answerShape, 'answer')
  return {
    type: 'answer',
    slot: header['slot'] as SlotId,
    to: instance,
    n: header['n'] as number,
    worker: header['worker'] as string,
    version: header['version'] as string,
    error: commandErrorOf(header['error']),
    part: partOf(header['part'], payload),
    ...traced(header['trace']),
    body: payload,
  }
}

function partOf(value: unknown, { length }: Buffer): AnswerPart | null {
  if (value === undefined || value === null) return null
  checkShape(value, partShape, 'part')
  const { from, of } = value as unknown as AnswerPart
  if (from < 0 || length === 0 || from + length > of || of > recordBytesMax) {
    throw new FormatError('part: not of the answer that it is said to be of')
  }
  return { from, of }
}
