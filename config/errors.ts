/** A configuration that cannot be used. The message is one line: the key, where it was set and what is allowed. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(oneLine(message), options)
    this.name = 'ConfigError'
  }
}

/** Names of keys and files are whatever somebody wrote. */
export function oneLine(message: string): string {
  return message.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
}
