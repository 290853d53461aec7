import { CodedError } from '../../platform/errors.ts'

/** Why a release cannot be kept, or not be used. */
export const releaseErrorCodes = [
  'unfit', // what the path names cannot be a release
  'other_content', // there is a release of that version, with other content
  'elsewhere', // the supervisor keeps its releases in another directory
  'unknown_release', // no release of that version is kept
] as const

/** A release that cannot be kept or used; the releases that there are stay as they were. */
export class ReleaseError extends CodedError<(typeof releaseErrorCodes)[number]> {}
