import { Check } from 'typebox/schema'
import { parseDuration, formatDuration } from './duration.ts'
import { ConfigError } from './error.ts'
import type { ConfigKey } from './keys.ts'

/** What a person may write for a key, in words. */
export function allowedText({ kind, schema }: ConfigKey): string {
  switch (kind) {
    case 'integer':
      return `a whole number from ${schema.minimum} to ${schema.maximum}`
    case 'duration':
      return `a duration such as 250ms, 5s or 1h from ${formatDuration(schema.minimum!)} to ${formatDuration(schema.maximum!)}`
    case 'toggle':
      return 'true or false'
    case 'choice':
      return schema.enum!.join(', ')
    case 'texts':
      return 'a list of texts (in the environment JSON, or separated by commas)'
    case 'namespaces':
      return 'a list of namespaces (in the environment and in flags: JSON)'
    case 'text':
      return schema.allowed ?? 'a text'
    default:
      return kind satisfies never
  }
}

/** The value as it came, for an error message: never a secret, never long. */
function shown(key: ConfigKey, raw: unknown): string {
  if (key.secret || key.url) return 'the value'
  const text = JSON.stringify(raw) ?? String(raw)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** `source` is where the value was set, for example `HOLDFAST_LOG_LEVEL` or `holdfast.yaml: log_level`. */
export function refuse(key: ConfigKey, raw: unknown, source: string, allowed = allowedText(key)): never {
  throw new ConfigError(`${key.path} (${source}): ${shown(key, raw)} is not allowed; allowed: ${allowed}`)
}

/** A value of a file, an environment variable or a flag as the decoded configuration holds it. Throws ConfigError. */
export function decode(key: ConfigKey, raw: unknown, source: string): unknown {
  const value = convert(key, raw)
  if (value === undefined || !Check(key.schema, value)) refuse(key, raw, source)
  return value
}

function convert({ kind }: ConfigKey, raw: unknown): unknown {
  switch (kind) {
    case 'integer':
      return typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw
    case 'duration':
      return typeof raw === 'string' ? parseDuration(raw) : undefined
    case 'toggle':
      return raw === 'true' || raw === '1' ? true : raw === 'false' || raw === '0' ? false : raw
    case 'texts':
      return typeof raw === 'string' ? texts(raw) : raw
    case 'text':
    case 'choice':
      // YAML reads `version: 2` as a number; nobody who writes it means anything but the text.
      return typeof raw === 'number' ? String(raw) : raw
    case 'namespaces':
      return raw
    default:
      return kind satisfies never
  }
}

function texts(raw: string): unknown {
  if (raw.trimStart().startsWith('[')) return parseJson(raw)
  return raw
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
}

/** The value of a JSON text, undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
