import type { SlotId, SlotPlace } from '../slot.ts'
import { checkBeat } from './heartbeat.ts'
import type { Heartbeat } from './heartbeat.ts'
import { decodeJsonRecord, encodeJsonRecord } from './json-record.ts'
import { checkShape, placeShape, shapeOf } from './shape.ts'
import type { Shape } from './shape.ts'

/** A worker that cannot serve. An older version ends without saying so. */
export interface FailedStart {
  /** Of its code. */
  version: string
  /** One line for a person. */
  why: string
}

/** What processes announce: heartbeats on their own topic, everything else on the status topic. */
export type StatusRecord =
  | Heartbeat
  /** The successor of a slot has its state and follows its log. */
  | { type: 'warmed'; slot: SlotId; epoch: number; worker: string }
  /** The owner has committed, emptied its outbox and let go. `stoppedAt` is its clock, ms. */
  | { type: 'released'; slot: SlotId; epoch: number; worker: string; stoppedAt: number }
  /**
   * `planned` when `from` let go; `takeover` when it was fenced, or there was nobody. `place` is where the owner goes on;
   * an older version does not say it.
   */
  | {
      type: 'acquired'
      slot: SlotId
      epoch: number
      worker: string
      from: string | null
      kind: 'planned' | 'takeover'
      pauseMs: number
      place?: SlotPlace
    }
  /** The slot stands still until a person resets it; `reason` is one line for that person. */
  | { type: 'halted'; slot: SlotId; worker: string; reason: string }
  /** A process ends; nobody needs to wait for its heartbeats. */
  | { type: 'left'; role: Heartbeat['role']; id: string; failed?: FailedStart }

const statusShapes: Record<StatusRecord['type'], Shape> = {
  heartbeat: shapeOf({ role: 'text', id: 'text', pid: 'count', version: 'text', internal: 'object', beat: 'count' }),
  warmed: shapeOf({ slot: 'slot', epoch: 'count', worker: 'text' }),
  released: shapeOf({ slot: 'slot', epoch: 'count', worker: 'text', stoppedAt: 'number' }),
  acquired: shapeOf({
    slot: 'slot',
    epoch: 'count',
    worker: 'text',
    from: 'text?',
    kind: 'text',
    pauseMs: 'number',
    place: 'object?',
  }),
  halted: shapeOf({ slot: 'slot', worker: 'text', reason: 'text' }),
  left: shapeOf({ role: 'text', id: 'text', failed: 'object?' }),
}

const failedShape = shapeOf({ version: 'text', why: 'text' })

/** The record of an announcement. */
export function encodeStatus(record: StatusRecord): Buffer {
  return encodeJsonRecord(record)
}

/** The inverse of encodeStatus. Throws FormatError, as decodeJsonRecord does. */
export function decodeStatus(value: Buffer): StatusRecord {
  const record = decodeJsonRecord(value, statusShapes)
  if (record['type'] === 'heartbeat') checkBeat(record)
  if (record['type'] === 'acquired' && record['place']) checkShape(record['place'], placeShape, 'place')
  if (record['type'] === 'left' && record['failed']) checkShape(record['failed'], failedShape, 'failed')
  return record as unknown as StatusRecord
}
