import type { Static, TSchema, TSchemaOptions } from 'typebox'
import type { StringMatch } from '../../protocol/records/fault.ts'
import { Type } from '../../schema/type.ts'

/** Members of JSON Schema that the resources use, and the marks that `schema.ts` makes. */
export interface SchemaNode {
  type?: string | string[]
  enum?: readonly string[]
  properties?: Record<string, SchemaNode>
  required?: readonly string[]
  items?: SchemaNode
  patternProperties?: Record<string, SchemaNode>
  default?: unknown
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  maxProperties?: number
  minProperties?: number
  pattern?: string
  description?: string
  /** In words, what a pattern allows. */
  allowed?: string
  /** The text is a duration. */
  duration?: boolean
  /** The text is a regular expression. */
  regex?: boolean
}

/** An object with one of some members, as the type of a value. */
export type OneOf<P> = { [K in keyof P]: { [Only in K]: P[K] } }[keyof P]

/** A text such as `250ms`; it stays a text in the resource. */
export function duration(description: string, initial?: string) {
  return Type.String({ description, duration: true, ...(initial !== undefined && { default: initial }) })
}

/** A text of one line. */
export function name(description: string, options: TSchemaOptions = {}) {
  return Type.String({ description, minLength: 1, maxLength: 253, ...options })
}

/** A whole number; without a default it must be written, unless it is optional. */
export function integer([minimum, maximum]: [number, number], description: string, initial?: number) {
  return Type.Integer({ minimum, maximum, description, ...(initial !== undefined && { default: initial }) })
}

/** A number that need not be whole. */
export function number([minimum, maximum]: [number, number], description: string, initial?: number) {
  return Type.Number({ minimum, maximum, description, ...(initial !== undefined && { default: initial }) })
}

/** A list that holds so many at most. */
export function listOf<T extends TSchema>(items: T, maxItems: number, options: TSchemaOptions = {}) {
  return Type.Array(items, { maxItems, ...options })
}

/** An object with exactly one of these members. */
export function oneOf<P extends Record<string, TSchema>>(properties: P, description: string) {
  return Type.Unsafe<OneOf<{ [K in keyof P]: Static<P[K]> }>>({
    type: 'object',
    properties,
    minProperties: 1,
    maxProperties: 1,
    additionalProperties: false,
    description,
  })
}

/** Texts by whatever names. */
export function texts(description: string, options: TSchemaOptions = {}) {
  return Type.Record(Type.String(), Type.String({ maxLength: 1_024 }), { description, maxProperties: 64, ...options })
}

/** As Istio's, with RE2 for expressions. */
export function stringMatch(description: string) {
  return Type.Unsafe<StringMatch>(
    oneOf(
      {
        exact: Type.String({ description: 'The whole text.', maxLength: 255 }),
        prefix: Type.String({ description: 'How the text begins.', maxLength: 255 }),
        regex: Type.String({
          description: 'A regular expression (RE2) that matches the whole text.',
          maxLength: 255,
          regex: true,
        }),
      },
      description,
    ),
  )
}

/** What every resource has beside its spec. */
export const metadata = Type.Object(
  {
    name: Type.String({
      description: 'Unique among the resources of its kind.',
      pattern: '^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$',
      maxLength: 253,
      allowed: 'small letters, digits, - and ., at most 253',
    }),
    labels: Type.Optional(texts('For people and tools; Holdfast does not look at them.')),
    annotations: Type.Optional(texts('For people and tools; Holdfast does not look at them.')),
  },
  { description: 'Names the resource.' },
)
