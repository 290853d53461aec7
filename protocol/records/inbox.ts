import { decodeAnswer } from './answer.ts'
import type { AnswerRecord } from './answer.ts'
import { decodeEnvelope } from './envelope.ts'
import { FormatError } from './errors.ts'
import { decodeBatch } from './event-batch.ts'
import type { EventBatch } from './event-batch.ts'
import { decodeResync } from './notice.ts'
import type { ResyncRecord, RetiredRecord } from './notice.ts'
import { checkShape, shapeOf } from './shape.ts'
import type { Members } from './shape.ts'

/** All that stands in an inbox partition. */
export type InboxRecord = EventBatch | AnswerRecord | ResyncRecord | RetiredRecord

const typeShape = shapeOf({ type: 'text' })

/** What each type of record is for one of those that it is for. */
const decoders: { [T in InboxRecord['type']]: (header: Members, payload: Buffer, instance: string) => InboxRecord } = {
  events: decodeBatch,
  answer: decodeAnswer,
  resync: decodeResync,
  retired: (_header, _payload, instance) => ({ type: 'retired', to: instance }),
}

/**
 * Decodes what is for `instance`: null when nothing in the record is. Events for other instances are left out.
 * Throws FormatError.
 */
export function decodeInbox(value: Buffer, instance: string): InboxRecord | null {
  const { header, payload } = decodeEnvelope(value)
  checkShape(header, typeShape, 'record')
  const { type, to } = header
  if (!Object.hasOwn(decoders, type as string)) throw new FormatError('record is not for an inbox')
  const isForUs = Array.isArray(to) ? to.includes(instance) : to === instance
  return isForUs ? decoders[type as InboxRecord['type']](header, payload, instance) : null
}
