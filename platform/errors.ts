import type { Hindrance } from './outages.ts'

/** An error that a program tells from others by a code of a closed set. docs/errors.md lists every set. */
export abstract class CodedError<Code extends string> extends Error {
  readonly code: Code

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** What a seam to a service rejects with, whichever adapter is behind it. */
export abstract class SeamError<Code extends string> extends CodedError<Code> {
  /** Of an `unavailable` service that answers: why it takes nothing for now. */
  readonly hindrance: Hindrance | null

  constructor(code: Code, message: string, options: ErrorOptions & { hindrance?: Hindrance | null } = {}) {
    super(code, message, options)
    this.hindrance = options.hindrance ?? null
  }
}
