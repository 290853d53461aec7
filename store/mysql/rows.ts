import type { ResultSetHeader, RowDataPacket } from 'mysql2'
import { Failure } from './errors.ts'

/** Of one statement: its rows, or what it changed. */
export type Result = ResultSetHeader | RowDataPacket[]

// Columns come back typed as anything; these read one as what its table says it is.

/** The rows of one statement's answer. */
export function rowsOf(result: Result | undefined): RowDataPacket[] {
  if (!Array.isArray(result)) throw damaged('rows', result)
  return result
}

/** How many rows a statement met (whether it changed them or not). */
export function metOf(result: Result | undefined): number {
  if (result === undefined || Array.isArray(result)) throw damaged('a count', result)
  return result.affectedRows
}

/**
 * A text, whether the driver brings it as one or as bytes. Like all of these, throws a Failure `damaged` for anything
 * else.
 */
export function text(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString()
  if (typeof value !== 'string') throw damaged('text', value)
  return value
}

/** As text, of a column that may be NULL. */
export function textOrNull(value: unknown): string | null {
  return value === null ? null : text(value)
}

/** A whole number that JavaScript holds exactly. */
export function integer(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw damaged('a whole number', value)
  return value as number
}

/** As integer, of a column that may be NULL. */
export function integerOrNull(value: unknown): number | null {
  return value === null ? null : integer(value)
}

/** What a BLOB or a BINARY holds. */
export function bytes(value: unknown): Buffer {
  if (!Buffer.isBuffer(value)) throw damaged('bytes', value)
  return value
}

/** As bytes, of a column that may be NULL. */
export function bytesOrNull(value: unknown): Buffer | null {
  return value === null ? null : bytes(value)
}

/** A column that holds a JSON list of texts. */
export function strings(value: unknown): string[] {
  const list: unknown = parsed(text(value))
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) throw damaged('a list of texts', list)
  return list
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw damaged('JSON', json)
  }
}

function damaged(expected: string, found: unknown): Failure {
  return new Failure('damaged', `expected ${expected} in the database, found ${typeof found}`)
}
