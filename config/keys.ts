import { configSchema } from './schema.ts'
import type { Config } from './schema.ts'

type KeyKind = 'text' | 'integer' | 'duration' | 'toggle' | 'choice' | 'texts' | 'items'

/** A setting: one leaf of the schema. */
export interface ConfigKey {
  /** `section.name`, as in the file and in flags. */
  path: string
  /** Environment variable that sets it. */
  env: string
  /** How a text is read as its value. */
  kind: KeyKind
  /** One sentence, for help and docs. */
  description: string
  /** Never printed, never a flag. */
  secret: boolean
  /** A URL whose password is never printed. */
  url: boolean
  /** Decoded: durations in ms. */
  default: unknown
  /** What decides whether a value is allowed. */
  schema: Leaf
}

/** The parts of a JSON schema that this folder reads. */
export interface Leaf {
  type?: string
  description?: string
  default?: unknown
  enum?: readonly unknown[]
  minimum?: number
  maximum?: number
  pattern?: string
  properties?: Record<string, Leaf>
  items?: Leaf
  duration?: boolean
  secret?: boolean
  url?: boolean
  /** Set by the program itself, by nobody else. */
  internal?: boolean
  /** What a person may write, where the rest of the schema does not say it in words. */
  allowed?: string
}

function kindOf(leaf: Leaf): KeyKind {
  if (leaf.duration) return 'duration'
  if (leaf.enum) return 'choice'
  if (leaf.type === 'array') return leaf.items?.properties ? 'items' : 'texts'
  if (leaf.type === 'boolean') return 'toggle'
  return leaf.type === 'integer' ? 'integer' : 'text'
}

/** Every leaf under `properties`, in the order of the schema. */
export function keysOf(properties: Record<string, Leaf>, prefix = ''): ConfigKey[] {
  return Object.entries(properties).flatMap(([name, leaf]) => {
    const path = prefix + name
    if (leaf.properties) return keysOf(leaf.properties, `${path}.`)
    return {
      path,
      env: `HOLDFAST_${path.toUpperCase().replaceAll('.', '_')}`,
      kind: kindOf(leaf),
      description: leaf.description ?? '',
      secret: leaf.secret === true,
      url: leaf.url === true,
      default: leaf.default,
      schema: leaf,
    }
  })
}

const everyKey = keysOf(configSchema.properties)

/** All that a person can set. */
export const configKeys = everyKey.filter((key) => !key.schema.internal)

/** Paths of what the program sets by itself. */
export const internalPaths = everyKey.filter((key) => key.schema.internal).map(({ path }) => path)

/** A tree of the keys' defaults. */
export function defaultsOf(keys: readonly ConfigKey[]): Record<string, unknown> {
  const tree = {}
  for (const key of keys) setPath(tree, key.path, structuredClone(key.default))
  return tree
}

/** The default of every key, the internal ones too. */
export function defaultConfig(): Config {
  return defaultsOf(everyKey) as Config
}

/** A configuration that another build made, with the defaults of what it lacks. */
export function completed(given: Config): Config {
  const config = structuredClone(given)
  for (const key of everyKey) {
    if (getPath(given, key.path) === undefined) setPath(config, key.path, structuredClone(key.default))
  }
  return config
}

/** Sets `section.name` in a tree, making the sections on the way. */
export function setPath(tree: Record<string, unknown>, path: string, value: unknown): void {
  const names = path.split('.')
  const last = names.pop() as string
  let section = tree
  for (const name of names) section = (section[name] ??= {}) as Record<string, unknown>
  section[last] = value
}

/** Reads `section.name` from a tree; undefined when it is not there. */
export function getPath(tree: unknown, path: string): unknown {
  let node = tree
  for (const name of path.split('.')) node = (node as Record<string, unknown> | undefined)?.[name]
  return node
}
