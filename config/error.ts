/** A configuration that cannot be used. The message is one line: the key, where it was set and what is allowed. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    // Names of keys and files are whatever somebody wrote.
    super(message.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' '), options)
    this.name = 'ConfigError'
  }
}
