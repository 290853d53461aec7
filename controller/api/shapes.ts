import type { TSchema } from 'typebox'
import { Type } from '../../schema/type.ts'

/** Schemas of answers and parameters that many routes have. */

/** A value, or null. */
export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/** A whole number in a query, where everything is text. */
export const integerText = (description: string) => Type.String({ pattern: String.raw`^\d{1,15}$`, description })

/** What every refusal looks like. */
export const refusalShape = Type.Object(
  {
    code: Type.String({ description: 'For programs; docs/errors.md lists them.' }),
    message: Type.String({ description: 'For a person.' }),
  },
  { title: 'Refusal' },
)

/** An answer that says no more than that it was done. */
export const doneShape = Type.Object({}, { additionalProperties: false })

/** An object with these members and no other. */
export const exactly = <T extends Record<string, TSchema>>(members: T) =>
  Type.Object(members, { additionalProperties: false })
