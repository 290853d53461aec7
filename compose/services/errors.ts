/** A service that cannot be had, or does not answer. The message is one clear line; it never holds a password. */
export class ServiceError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ServiceError'
  }
}

/** What an error says, on one line. Some (of refused connections) say nothing but their code. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  return (error.message || (code ?? error.name)).replaceAll(/\s*\n\s*/g, ' ')
}
