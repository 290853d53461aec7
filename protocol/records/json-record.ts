import { FormatError } from './errors.ts'
import { checkShape, shapeOf } from './shape.ts'
import type { Members, Shape } from './shape.ts'

const typeShape = shapeOf({ type: 'text' })

/** A record that is plain JSON, without an envelope: what processes tell one another, and no message. */
export function encodeJsonRecord(record: { type: string }): Buffer {
  return Buffer.from(JSON.stringify(record))
}

/**
 * The inverse of encodeJsonRecord, for records of these types. Throws FormatError when it is not JSON, of another type,
 * or lacks what its readers rely on.
 */
export function decodeJsonRecord(value: Buffer, shapes: Readonly<Record<string, Shape>>): Members {
  let record: unknown
  try {
    record = JSON.parse(value.toString())
  } catch (cause) {
    throw new FormatError('record is not JSON', { cause })
  }
  checkShape(record, typeShape, 'record')
  const type = record['type'] as string
  const shape = Object.hasOwn(shapes, type) ? shapes[type] : undefined
  if (shape === undefined) throw new FormatError(`unknown record ${type}`)
  checkShape(record, shape, type)
  return record
}
