import type { ApiErrorCode } from '../../controller/api/errors.ts'
import { CodedError } from '../../platform/errors.ts'

/** What the client finds by itself, beside the refusals that the API has a code for. */
export const clientErrorCodes = [
  'unreachable', // nobody answers: whether a request that was sent took effect is unknown
  'bad_answer', // what answers is no controller
  'refused', // a refusal without a code
  'unreadable', // a file that the command was given cannot be read: nothing was asked
] as const

/** A code of a ControllerError. A controller of another version may give one that is not listed. */
export type ControllerErrorCode = (typeof clientErrorCodes)[number] | ApiErrorCode

/** The controller refused, or could not be reached. The message is one line for a person. */
export class ControllerError extends CodedError<ControllerErrorCode> {}
