import { CodedError } from '../../platform/errors.ts'

/** What is wrong with the file or its directory. */
export const fileErrorCodes = [
  'damaged', // the file cannot be read as what it should be
  'in_use', // another engine has it open
  'unwritable', // the system refuses to make, read or write it
] as const

/** A code that is about the file. */
export type FileErrorCode = (typeof fileErrorCodes)[number]

/** Why an engine cannot start: the file, or `misplaced`, where the temporary directory is no place for a socket. */
export const engineErrorCodes = [...fileErrorCodes, 'misplaced'] as const

/** A code of an EngineStartError. */
export type EngineErrorCode = (typeof engineErrorCodes)[number]

/** Why an engine could not start or cannot go on. The message is one line that names the path. */
export class EngineStartError extends CodedError<EngineErrorCode> {}
