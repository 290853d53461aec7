/** A record is not one of ours, or of a version that this build cannot read. */
export class FormatError extends Error {
  override name = 'FormatError'
}
