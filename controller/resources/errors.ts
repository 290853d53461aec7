import { CodedError } from '../../platform/errors.ts'

/** Why resources are not shown, applied or deleted. Nothing was done. */
export const resourceErrorCodes = [
  'unknown_kind', // no resources are of that kind
  'unknown_resource', // none of that kind has the name
  'invalid_resource', // an error was found in it, or in what it would leave behind
  'changed_meanwhile', // something else changed resources at the same time, again and again
  'not_leading', // another controller leads by now
] as const

/** A code of a ResourceError. */
export type ResourceErrorCode = (typeof resourceErrorCodes)[number]

/** Resources that are not shown, applied or deleted. */
export class ResourceError extends CodedError<ResourceErrorCode> {}
