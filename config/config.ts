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

/** Directory of the engine behind the embedded log, the embedded store, or both; undefined when neither is embedded. */
export function engineDirectory(config: Config): string | undefined {
  return embeddedDirectory(logUrl(config)) ?? embeddedDirectory(storeUrl(config))
}

/** Slots of the default group: as configured, or what suits the log. An embedded one serves a single machine. */
export function slotCount(config: Config): number {
  if (config.topics.slots > 0) return config.topics.slots
  return embeddedDirectory(logUrl(config)) === undefined ? 64 : 16
}

/** Faults may be set in this cluster: as configured, else where `holdfast dev` runs it. */
export function areFaultsOn({ faults, dev }: Pick<Config, 'faults' | 'dev'>): boolean {
  return faults.enabled === 'auto' ? dev.active : faults.enabled === 'on'
}
