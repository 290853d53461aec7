export type EngineErrorCode =
  | 'damaged' // the file cannot be read as what it should be
  | 'in_use' // another engine has it open
  | 'unwritable' // the system refuses to make, read or write it

/** Why an engine could not start or cannot go on. The message is one line that names the path. */
export class EngineStartError extends Error {
  readonly code: EngineErrorCode
  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EngineStartError'
    this.code = code
  }
}
