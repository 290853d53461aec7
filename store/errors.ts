import { SeamError } from '../platform/errors.ts'

/** What an error of a store means for the request that met it; only `unavailable` passes by itself. */
export const storeErrorCodes = [
  'unavailable', // no answer: for a write the outcome is unknown
  'duplicate', // a row that must be new exists: a cache above is wrong
  'refused', // the store cannot take these rows, now or later; nothing was changed
  'unknown_slot', // there is no lease of that slot
  'damaged', // the data cannot be read as what it should be
] as const

/** A code of a store's error. */
export type StoreErrorCode = (typeof storeErrorCodes)[number]

/** What every method of a store rejects with. */
export class StoreError extends SeamError<StoreErrorCode> {}
