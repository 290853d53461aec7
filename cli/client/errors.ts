/** The controller refused, or could not be reached. The message is one line for a person. */
export class ControllerError extends Error {
  /** `unreachable`, or the code that the controller gave. */
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ControllerError'
    this.code = code
  }
}
