import { isCentrifugoKey, isNothing, restrictingKeys } from './centrifugo-keys.ts'
import { decode, refuse } from './decode.ts'
import { ConfigError } from './errors.ts'
import { configKeys, defaultsOf, internalPaths, keysOf } from './keys.ts'
import type { ConfigKey } from './keys.ts'
import { slipFrom } from './nearest.ts'
import { WrittenNumber, parseJson } from './written.ts'

/** Where decoded values and warnings go. */
export interface Sink {
  /** Called with a decoded value; `source` is what a person calls its place. */
  set: (key: ConfigKey, value: unknown, source: string) => void
  /** Called with one line. */
  warn: (message: string) => void
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WrittenNumber)

/**
 * Reads a nested mapping of keys. `prefix` stands before the paths in messages, `source` names the file. A key that
 * we lack is a warning, whether Centrifugo has it or nobody, as it is there; but one that restricts what clients may do
 * throws ConfigError, and so does one that looks like a slip of the hand, with the nearest that exists.
 */
function readTree(
  tree: Record<string, unknown>,
  keys: readonly ConfigKey[],
  prefix: string,
  source: string,
  sink: Sink,
): void {
  const byPath = new Map(keys.map((key) => [key.path, key]))
  const sections = new Set(
    keys.flatMap(({ path }) => path.split('.').map((_, i, names) => names.slice(0, i).join('.'))),
  )
  const names = [...byPath.keys(), ...sections].filter((name) => name !== '')

  const visit = (path: string, value: unknown): void => {
    const key = byPath.get(path)
    const ours = key !== undefined || sections.has(path)
    // A section left empty, and a key without a value, set nothing.
    if (ours && (value === null || (value === '' && isEmptyNothing(key)))) return
    if (isMapping(value) && (sections.has(path) || (ours && isCentrifugoKey(prefix + path)))) {
      for (const [name, below] of Object.entries(value)) visit(`${path}.${name}`, below)
    } else if (key) {
      sink.set(key, decodeKey(key, value, prefix + path, source, sink), source)
    } else if (ours) {
      throw new ConfigError(`${prefix}${path} (${source}): a section of keys, not a value`)
    } else lacked(path, value)
  }
  const lacked = (path: string, value: unknown): void => {
    const whole = prefix + path
    if (internalPaths.includes(whole)) throw new ConfigError(`${whole} (${source}): the program sets it by itself`)
    const isTheirs = isCentrifugoKey(whole)
    const near = isTheirs ? undefined : slipFrom(path, names)
    if (near !== undefined) {
      throw new ConfigError(`${whole} (${source}): unknown key; the nearest is ${prefix}${near}`)
    }
    const [restricting] = restrictingKeys(whole, value)
    if (restricting !== undefined) {
      const why = 'restricts or identifies clients in Centrifugo, and Holdfast does not have it'
      throw new ConfigError(`${restricting} (${source}) ${why}: remove it, or do not put Holdfast in its place`)
    }
    if (!isTheirs) sink.warn(`${whole} (${source}) is no key of Holdfast or Centrifugo: ignored`)
    else if (!isNothing(value)) {
      sink.warn(`${whole} (${source}) is a key of Centrifugo that Holdfast does not have: ignored`)
    }
  }

  for (const [name, value] of Object.entries(tree)) visit(name, value)
}

/** Centrifugo's own default file writes the ports that it leaves open as empty texts. */
const isEmptyNothing = (key: ConfigKey | undefined): boolean => key?.kind === 'integer' || key?.kind === 'duration'

function decodeKey(key: ConfigKey, raw: unknown, path: string, source: string, sink: Sink): unknown {
  if (key.kind !== 'items') return decode({ ...key, path }, raw, source)
  const list = typeof raw === 'string' ? parseJson(raw) : raw
  if (!Array.isArray(list) || !list.every(isMapping)) refuse(key, raw, source)
  const keys = keysOf(key.schema.items!.properties!)
  const names = new Set<unknown>()
  return list.map((item, index) => {
    const made = defaultsOf(keys)
    const set: Sink['set'] = ({ path }, value) => (made[path] = value)
    readTree(item, keys, `${path}[${index}].`, source, { set, warn: sink.warn })
    const { name } = made
    if (name === '') throw new ConfigError(`${path}[${index}].name (${source}): missing`)
    if (names.has(name)) throw new ConfigError(`${path}[${index}].name (${source}): ${String(name)} is there twice`)
    names.add(name)
    return made
  })
}

/** Reads what a file holds. Throws ConfigError. */
export function readFileTree(tree: unknown, source: string, sink: Sink): void {
  if (tree === null || tree === undefined) return
  if (!isMapping(tree)) throw new ConfigError(`${source}: a mapping of keys is needed`)
  readTree(tree, configKeys, '', source, sink)
}

/** Reads one text from the environment or a flag. Throws ConfigError. */
export function readText(key: ConfigKey, text: string, source: string, sink: Sink): void {
  sink.set(key, decodeKey(key, text, key.path, source, sink), source)
}
