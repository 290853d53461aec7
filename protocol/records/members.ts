import type { CommandError } from '../client/codes.ts'
import { traceContextOf } from '../trace.ts'
import type { TraceContext } from '../trace.ts'
import { checkShape, shapeOf } from './shape.ts'

const errorShape = shapeOf({ code: 'count', message: 'text' })

/** Why a command failed, as a record has it; null when it did not. Throws FormatError. */
export function commandErrorOf(value: unknown): CommandError | null {
  if (value === undefined || value === null) return null
  checkShape(value, errorShape, 'error')
  return value as unknown as CommandError
}

/** The trace context of a record as a member to spread; none when it has none. */
export function traced(value: unknown): { trace?: TraceContext } {
  const trace = traceContextOf(value)
  return trace === undefined ? {} : { trace }
}
