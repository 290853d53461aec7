import type { SlotId, SlotPlace } from '../slot.ts'
import type { Fault } from './fault.ts'
import { decodeJsonRecord, encodeJsonRecord } from './json-record.ts'
import { checkShape, placeShape, shapeOf } from './shape.ts'
import type { Shape } from './shape.ts'

/** Hints, ordered by term: a reader drops what has a lower term than it has seen. */
export type ControlRecord =
  /** `epoch` is the lease's before the move; `from` null means: do not wait for anybody; `to` null: let go. */
  | {
      type: 'move'
      term: number
      slot: SlotId
      epoch: number
      from: string | null
      to: string | null
      /** The furthest that an owner has announced: a store that is behind it went back in time. */
      announced: SlotPlace | null
      /** After so many ms an owner that does not let go is fenced; absent: as the successor is configured. */
      drainMs?: number
      /** The owner is to stop when the successor is no more than so many records behind, or after so many ms. */
      warmup?: { lagMax: number; timeoutMs: number }
    }
  | { type: 'drain'; term: number; worker: string }
  /**
   * All that processes are told of what operators set; the newest revision holds. Its parts are looked at by whoever is
   * to follow them, so that a process can say what it rejects: see `checkFault`.
   */
  | { type: 'config'; term: number; revision: number; faults: Fault[] }
  /** Which slot group each namespace belongs to, for good, as the store has noted it. */
  | { type: 'namespaces'; term: number; groups: { namespace: string; group: string }[] }

/** Key of the newest `config` record: whatever else stands there in its place is meant for the same readers. */
export const configKey = 'config'

const controlShapes: Record<ControlRecord['type'], Shape> = {
  move: shapeOf({
    term: 'count',
    slot: 'slot',
    epoch: 'count',
    from: 'text?',
    to: 'text?',
    announced: 'object?',
    drainMs: 'count?',
    warmup: 'object?',
  }),
  drain: shapeOf({ term: 'count', worker: 'text' }),
  config: shapeOf({ term: 'count', revision: 'count', faults: 'list' }),
  namespaces: shapeOf({ term: 'count', groups: 'list' }),
}

const warmupShape = shapeOf({ lagMax: 'count', timeoutMs: 'count' })
const namespaceShape = shapeOf({ namespace: 'text', group: 'text' })

/** The record of a hint. */
export function encodeControl(record: ControlRecord): Buffer {
  return encodeJsonRecord(record)
}

/** The inverse of encodeControl. Throws FormatError, as decodeJsonRecord does. */
export function decodeControl(value: Buffer): ControlRecord {
  const record = decodeJsonRecord(value, controlShapes)
  if (record['announced']) checkShape(record['announced'], placeShape, 'announced')
  if (record['warmup']) checkShape(record['warmup'], warmupShape, 'warmup')
  if (record['type'] === 'namespaces')
    for (const each of record['groups'] as unknown[]) checkShape(each, namespaceShape, 'group')
  return record as unknown as ControlRecord
}
