import { isSlotId } from '../slot.ts'
import { FormatError } from './errors.ts'

/** What a member of a record must be; `?` allows null and absence too. A count is a whole number. */
type Kind = 'text' | 'slot' | 'count' | 'number' | 'list' | 'object'
type MemberKind = Kind | `${Kind}?`

/** An object of JSON whose members have not been looked at. */
export type Members = Record<string, unknown>

/** The members that a reader relies on. It ignores others, so that neighbouring versions run together. */
export type Shape = readonly { name: string; kind: MemberKind; fits: (value: unknown) => boolean }[]

const tests: Record<Kind, (value: unknown) => boolean> = {
  text: (value) => typeof value === 'string',
  slot: isSlotId,
  count: Number.isSafeInteger,
  number: Number.isFinite,
  list: Array.isArray,
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

function testOf(kind: MemberKind): (value: unknown) => boolean {
  if (!kind.endsWith('?')) return tests[kind as Kind]
  const fits = tests[kind.slice(0, -1) as Kind]
  return (value) => value === undefined || value === null || fits(value)
}

/** To be made once and used for every record. */
export function shapeOf(members: Readonly<Record<string, MemberKind>>): Shape {
  return Object.entries(members).map(([name, kind]) => ({ name, kind, fits: testOf(kind) }))
}

/** Throws FormatError unless `value` is an object with these members. */
export function checkShape(value: unknown, shape: Shape, what: string): asserts value is Members {
  if (!tests.object(value)) throw new FormatError(`${what} is not an object`)
  for (const { name, kind, fits } of shape) {
    if (!fits((value as Members)[name])) throw new FormatError(`${what}: ${name} is not a ${kind}`)
  }
}

/** Throws FormatError unless all of a list are texts. */
export function checkTexts(list: unknown, what: string): asserts list is string[] {
  if (!Array.isArray(list) || !list.every(tests.text)) throw new FormatError(`${what} is not a list of texts`)
}

/** Of a SlotPlace. */
export const placeShape = shapeOf({ incarnation: 'count', nextOffset: 'count' })
