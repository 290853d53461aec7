import type { Config } from './schema.ts'

/** What every process knows of its configuration. Importing this loads neither the schema nor a parser. */
export type { Config }

const embedded = 'embedded:'

/** Where the log is, as a URL; `embedded:<data_dir>` unless another was set. */
export function logUrl(config: Config): string {
  return config.log || embedded + config.data_dir
}

/** Where the store is, as a URL; `embedded:<data_dir>` unless another was set. */
export function storeUrl(config: Config): string {
  return config.store || embedded + config.data_dir
}

/** Directory of an `embedded:` URL, undefined for any other. */
export function embeddedDirectory(url: string): string | undefined {
  return url.startsWith(embedded) ? url.slice(embedded.length) : undefined
}
