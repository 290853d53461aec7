/** Members of JSON Schema by which a value is judged; one that has others is taken for a schema without them. */
export interface Judging {
  type?: string
  enum?: readonly unknown[]
  minimum?: number
  maximum?: number
  /** In characters. */
  minLength?: number
  maxLength?: number
  pattern?: string
  items?: Judging
  properties?: Record<string, Judging>
  required?: readonly string[]
}

/** Whether a schema allows a value, which is one of JSON. */
export function fits(schema: Judging, value: unknown): boolean {
  if (schema.enum !== undefined && !schema.enum.includes(value)) return false
  switch (schema.type) {
    case undefined:
      return true
    case 'integer':
    case 'number':
      return typeof value === 'number' && fitsNumber(schema, value)
    case 'string':
      return typeof value === 'string' && fitsText(schema, value)
    case 'array':
      return Array.isArray(value) && value.every((item) => schema.items === undefined || fits(schema.items, item))
    case 'object':
      return isObject(value) && fitsObject(schema, value)
    case 'null':
      return value === null
    default:
      return typeof value === schema.type
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function fitsNumber({ type, minimum = -Infinity, maximum = Infinity }: Judging, value: number): boolean {
  const isKind = type === 'integer' ? Number.isInteger(value) : Number.isFinite(value)
  return isKind && value >= minimum && value <= maximum
}

function fitsText({ minLength = 0, maxLength = Infinity, pattern }: Judging, value: string): boolean {
  const { length } = Array.from(value)
  return length >= minLength && length <= maxLength && (pattern === undefined || new RegExp(pattern, 'u').test(value))
}

function fitsObject({ required = [], properties = {} }: Judging, value: Record<string, unknown>): boolean {
  return (
    required.every((name) => Object.hasOwn(value, name)) &&
    Object.entries(properties).every(([name, schema]) => !Object.hasOwn(value, name) || fits(schema, value[name]))
  )
}
