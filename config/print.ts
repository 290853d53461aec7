import { stringify } from 'yaml'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { configKeys, getPath, keysOf, setPath } from './keys.ts'
import type { ConfigKey } from './keys.ts'

const hidden = '***'

/** A URL without its password, which may stand in its user part. Works on any text. */
export function redactUrl(url: string): string {
  return url.replace(/^([^/]*\/\/[^/?#]*?):[^/?#]*@/, `$1:${hidden}@`)
}

function printable(key: ConfigKey, value: unknown): unknown {
  if (key.secret) return value === '' ? '' : hidden
  if (key.url) return redactUrl(value as string)
  if (key.kind === 'duration') return formatDuration(value as number)
  if (key.kind !== 'items') return value
  const keys = keysOf(key.schema.items!.properties!)
  return (value as unknown[]).map((item) => printableTree(keys, item))
}

function printableTree(keys: readonly ConfigKey[], config: unknown): Record<string, unknown> {
  const tree = {}
  for (const key of keys) setPath(tree, key.path, printable(key, getPath(config, key.path)))
  return tree
}

/** The configuration as a person would write it in a file, without its secrets. */
export function printableConfig(config: Config): Record<string, unknown> {
  return printableTree(configKeys, config)
}

/** printableConfig as YAML. */
export function printConfig(config: Config): string {
  return stringify(printableConfig(config))
}
