import { formatVersion } from './envelope.ts'
import { checkShape, shapeOf } from './shape.ts'

/** Versions of a format, from the lowest to the highest. */
export interface FormatRange {
  /** The lowest, a whole number. */
  min: number
  /** The highest; `min` or above. */
  max: number
}

/** What a process works with. */
export interface Formats {
  /** Records that it reads; it writes the highest. */
  records: FormatRange
  /**
   * Tables that it knows, `max`, and of which it takes for granted that every program at them knows `min`; absent where no
   * tables are shared.
   */
  tables?: FormatRange
}

/** Records of this build. */
export const ownRecords: FormatRange = { min: formatVersion, max: formatVersion }

const formatsShape = shapeOf({ records: 'object', tables: 'object?' })
const rangeShape = shapeOf({ min: 'count', max: 'count' })

/** Throws FormatError unless they are Formats. */
export function checkFormats(formats: unknown): void {
  checkShape(formats, formatsShape, 'formats')
  checkShape(formats['records'], rangeShape, 'records')
  if (formats['tables']) checkShape(formats['tables'], rangeShape, 'tables')
}
