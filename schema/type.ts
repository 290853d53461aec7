import type { TSchema, Type as Typebox } from 'typebox'

/** What the schemas here are made of. */
type Builders = Pick<
  typeof Typebox,
  | 'Array'
  | 'Boolean'
  | 'Enum'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Number'
  | 'Object'
  | 'Optional'
  | 'Record'
  | 'String'
  | 'Union'
  | 'Unknown'
  | 'Unsafe'
>

/** Members of JSON Schema, and marks of those who read it. */
type Options = Record<string, unknown>

/** Tells that an object may lack it. It is not part of what is printed. */
const optional = '~optional'

const plain =
  (type: string) =>
  (options: Options = {}) => ({ type, ...options })

function object(properties: Record<string, TSchema>, options: Options = {}): TSchema {
  const required = Object.keys(properties).filter((name) => !(optional in properties[name]!))
  return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
}

const builders = {
  Array: (items: TSchema, options: Options = {}) => ({ type: 'array', items, ...options }),
  Boolean: plain('boolean'),
  Enum: (values: readonly unknown[], options: Options = {}) => ({ enum: values, ...options }),
  Integer: plain('integer'),
  Literal: (value: unknown, options: Options = {}) => ({ type: typeof value, const: value, ...options }),
  Null: plain('null'),
  Number: plain('number'),
  Object: object,
  Optional: (schema: TSchema) => Object.defineProperty({ ...schema }, optional, { value: true }),
  Record: (_names: TSchema, values: TSchema, options: Options = {}) => ({
    type: 'object',
    patternProperties: { '^.*$': values },
    ...options,
  }),
  String: plain('string'),
  Union: (anyOf: readonly TSchema[], options: Options = {}) => ({ anyOf, ...options }),
  Unknown: (options: Options = {}) => options,
  Unsafe: (schema: TSchema) => schema,
}

/**
 * Makes JSON schemas that carry the type of what they describe: TypeBox's builders, with its types, and without the 500
 * modules that it would load into every command and process.
 */
export const Type = builders as unknown as Builders
