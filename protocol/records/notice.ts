import type { SlotId } from '../slot.ts'
import { emptyPayload, encodeEnvelope } from './envelope.ts'
import { checkShape, checkTexts, shapeOf } from './shape.ts'
import type { Members } from './shape.ts'

/** Control: positions of this slot are insufficient for the instances named. */
export interface ResyncRecord {
  type: 'resync'
  /** What it emitted was taken out of lanes that were full. */
  slot: SlotId
  /** Instances that have missed something. */
  to: string[]
}

/** Control: this instance was declared dead. */
export interface RetiredRecord {
  type: 'retired'
  /** It closes its sessions and ends; its process starts anew under another name. */
  to: string
}

/** The record of a control message; it has no payload. */
export function encodeNotice(record: ResyncRecord | RetiredRecord): Buffer {
  return encodeEnvelope(record, emptyPayload)
}

const resyncShape = shapeOf({ slot: 'slot', to: 'list' })

/** The inverse of encodeNotice for a resync. Throws FormatError. */
export function decodeResync(header: Members): ResyncRecord {
  checkShape(header, resyncShape, 'resync')
  const to = header['to']
  checkTexts(to, 'resync: to')
  return { type: 'resync', slot: header['slot'] as SlotId, to }
}
