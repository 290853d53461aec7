import { fits } from '../schema/fits.ts'
import { cleanText, hasControls } from './clean-text.ts'
import { parseDuration, formatDuration } from './duration.ts'
import { ConfigError } from './errors.ts'
import type { ConfigKey } from './keys.ts'
import { WrittenNumber, parseJson } from './written.ts'

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
    case 'items':
      return `${schema.allowed} (in the environment and in flags: JSON)`
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
  const value = convert(key, typeof raw === 'string' ? cleanText(raw) : raw)
  if (value === undefined || !fits(key.schema, value)) refuse(key, raw, source)
  if (typeof value === 'string') checkText(key, value, raw, source)
  return value
}

/** Of a secret nobody could tell afterwards why it does not fit. */
function checkText(key: ConfigKey, value: string, raw: unknown, source: string): void {
  if (hasControls(value)) refuse(key, raw, source, `${allowedText(key)}, of one line`)
  if (value === '' && raw !== '') refuse(key, raw, source, `${allowedText(key)}, not white space alone`)
}

function convert({ kind }: ConfigKey, raw: unknown): unknown {
  const isText = kind === 'text' || kind === 'choice'
  if (raw instanceof WrittenNumber) return isText ? raw.text : kind === 'integer' ? raw.value : undefined
  switch (kind) {
    case 'integer':
      return typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw
    case 'duration':
      return typeof raw === 'string' ? parseDuration(raw) : undefined
    case 'toggle':
      return raw === 'true' || raw === '1' ? true : raw === 'false' || raw === '0' ? false : raw
    case 'texts':
      return texts(raw)
    case 'text':
    case 'choice':
    case 'items':
      return raw
    default:
      return kind satisfies never
  }
}

function texts(raw: unknown): unknown {
  if (Array.isArray(raw)) return raw.map(item)
  if (typeof raw !== 'string') return raw
  if (raw.startsWith('[')) {
    const list = parseJson(raw)
    return Array.isArray(list) ? list.map(item) : list
  }
  return raw
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
}

function item(raw: unknown): unknown {
  if (raw instanceof WrittenNumber) return raw.text
  return typeof raw === 'string' ? cleanText(raw) : raw
}
