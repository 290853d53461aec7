import type { CommandError } from '../client/codes.ts'

/** The command is not one the app can act on: the client gets the error, nothing else happens. */
export class CommandRefused extends Error {
  override name = 'CommandRefused'
  /** What the client is told. */
  readonly error: CommandError
  constructor(error: CommandError) {
    super(error.message)
    this.error = error
  }
}
