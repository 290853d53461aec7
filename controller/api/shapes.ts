import { Type } from 'typebox'

/** A whole number in a query, where everything is text. */
export const integerText = (description: string) => Type.String({ pattern: String.raw`^\d{1,15}$`, description })
