/** What is wrong with the file or its directory. */
export type FileErrorCode =
  | 'damaged' // the file cannot be read as what it should be
  | 'in_use' // another engine has it open
  | 'unwritable' // the system refuses to make, read or write it

export type EngineErrorCode = FileErrorCode | 'misplaced' // the temporary directory is no place for a socket

/** Why an engine could not start or cannot go on. The message is one line that names the path. */
export class EngineStartError extends Error {
  readonly code: EngineErrorCode
  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EngineStartError'
    this.code = code
  }
}
