import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { checkConfig } from './check.ts'
import { cleanText, readTextFile } from './clean-text.ts'
import type { Config } from './config.ts'
import { contradictions } from './contradictions.ts'
import { ConfigError, oneLine } from './errors.ts'
import { configKeys, defaultConfig, setPath } from './keys.ts'
import type { ConfigKey } from './keys.ts'
import { nearest } from './nearest.ts'
import { linkedService } from './service-links.ts'
import { readFileTree, readText } from './tree.ts'
import type { Sink } from './tree.ts'
import { parseYaml } from './written.ts'

/** Where values come from, the later one winning: file, `env`, `flags`. */
export interface LoadOptions {
  /** The file to read, which must exist. Without it, `holdfast.yaml` in `cwd` when there is one. */
  file?: string
  /** As process.env has it. */
  env: Record<string, string | undefined>
  /** By path, for example `{'http_server.port': '9000'}`. */
  flags: Record<string, string>
  /** Where paths that are relative begin. */
  cwd: string
  /** True for `holdfast dev`: without a file, the default namespace is open to chat. */
  dev?: boolean
}

/** A configuration that can be used, and what somebody should know about it. */
export interface LoadedConfig {
  config: Config
  /** One line each. */
  warnings: string[]
}

/** Bytes below which a secret is worth a warning: HS256 wants as many as its digest has. */
export const secretBytesMin = 32

const defaultFile = 'holdfast.yaml'

const devNamespace: Partial<Config['channel']['without_namespace']> = {
  allow_subscribe_for_client: true,
  allow_publish_for_subscriber: true,
  allow_history_for_subscriber: true,
  history_size: 100,
  history_ttl: 300_000,
  force_recovery: true,
}

/** A cluster on one machine keeps little: its log and store are on the same disk. */
const devRetentionMs = 60_000

/** Defaults, then the file, then the environment, then the flags. Throws ConfigError. */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const config = defaultConfig()
  const warnings: string[] = []
  const sink: Sink = {
    set(key, value, source) {
      setPath(config, key.path, value)
      if (key.secret && typeof value === 'string' && value !== '' && Buffer.byteLength(value) < secretBytesMin) {
        weak.set(key.path, `${key.path} (${source}) is shorter than ${secretBytesMin} bytes`)
      }
    },
    warn: (message) => warnings.push(oneLine(message)),
  }
  const weak = new Map<string, string>()

  const path = findFile(options)
  if (options.dev) {
    config.dev.active = true
    config.topics.retention = devRetentionMs
    if (path === undefined) Object.assign(config.channel.without_namespace, devNamespace)
  }
  if (path !== undefined) readFileTree(parseFile(path, options), fileName(options), sink)
  readEnvironment(options.env, sink)
  for (const key of configKeys) {
    const text = options.flags[key.path]
    if (text !== undefined) readText(key, text, `--${key.path}`, sink)
  }
  checkConfig(config)
  return { config, warnings: [...warnings, ...weak.values(), ...contradictions(config)] }
}

function findFile({ file, cwd }: LoadOptions): string | undefined {
  if (file !== undefined) return resolve(cwd, file)
  const path = resolve(cwd, defaultFile)
  return existsSync(path) ? path : undefined
}

/** The file's name as a person knows it. */
const fileName = ({ file }: LoadOptions): string => file ?? defaultFile

function parseFile(path: string, options: LoadOptions): unknown {
  try {
    return parseYaml(readTextFile(path))
  } catch (error) {
    const [line] = (error as Error).message.split('\n')
    throw new ConfigError(`${fileName(options)}: ${line}`, { cause: error })
  }
}

function readEnvironment(given: LoadOptions['env'], sink: Sink): void {
  const env = withoutServiceLinks(given, sink)
  for (const key of configKeys) {
    const fromFile = key.secret || key.url ? env[`${key.env}_FILE`] : undefined
    // An empty variable sets nothing: compose files write `NAME: ${NAME:-}`.
    const text = env[key.env]
    if (text && fromFile) throw new ConfigError(`${key.path}: both ${key.env} and ${key.env}_FILE are set`)
    if (text) readText(key, text, key.env, sink)
    else if (fromFile) readText(key, readSecretFile(key, fromFile), `${key.env}_FILE`, sink)
  }
  warnOfUnknown(env, sink)
}

function readSecretFile(key: ConfigKey, path: string): string {
  const named = (what: string, cause?: unknown) => new ConfigError(`${key.path} (${key.env}_FILE): ${what}`, { cause })
  let text: string
  try {
    text = readTextFile(path)
  } catch (error) {
    throw named((error as Error).message, error)
  }
  // A variable that is empty sets nothing, but nobody makes a file for that.
  if (cleanText(text) === '') throw named(`${path} is empty`)
  return text
}

/** One warning for each service. */
function withoutServiceLinks(env: LoadOptions['env'], sink: Sink): LoadOptions['env'] {
  const services = new Set<string>()
  const left = Object.entries(env).filter(([name, value]) => {
    const service = name.startsWith('HOLDFAST_') ? linkedService(name, value ?? '') : undefined
    if (service !== undefined) services.add(service)
    return service === undefined
  })
  for (const service of services) {
    sink.warn(`${service}_… are variables of a service link, ignored; enableServiceLinks: false keeps them away`)
  }
  return Object.fromEntries(left)
}

/** No error, unlike in a file: whoever sets up the environment of many may have a name like ours. */
function warnOfUnknown(env: LoadOptions['env'], sink: Sink): void {
  const known = configKeys.map((key) => key.env)
  for (const name of Object.keys(env)) {
    if (!name.startsWith('HOLDFAST_')) continue
    if (known.includes(name) || known.includes(name.replace(/_FILE$/, ''))) continue
    sink.warn(`${name} sets nothing; the nearest variable is ${nearest(name, known)}`)
  }
}
