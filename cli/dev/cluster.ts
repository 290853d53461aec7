import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { engineDirectory } from '../../config/config.ts'
import type { Config } from '../../config/config.ts'
import { neighbourVariable, resolvedConfigVariable } from '../../platform/resolved-config.ts'
import type { Release } from '../releases/release.ts'
import type { Role } from '../roles/roles.ts'
import type { ChildSpec } from './supervised-child.ts'
import type { ChildGroup } from './supervisor.ts'

const launcher = fileURLToPath(new URL('../holdfast.js', import.meta.url))

/**
 * A proxy is to be small when its clients are silent. The young generation, which grows with every storm of connects and
 * never shrinks, is most of what a connection costs beyond itself: bounded to 4 MB it is a third of that.
 */
const nodeOptions: Partial<Record<Role, string[]>> = { proxy: ['--max-semi-space-size=4'] }

type Environment = Record<string, string | undefined>

/**
 * Workers stop after the proxies have let their clients go, and before the controller. Those that serve are the last, or
 * another version would take over for the moment that is left.
 */
const workerStopStage = { others: 1, serving: 2 }

/**
 * The processes of `holdfast dev` beside its workers: the engine first, where one is needed; clients are let go before
 * the work behind them stops.
 */
export function clusterGroups(config: Config, env: Environment): ChildGroup[] {
  const group = (role: Role, count: number, startStage: number, stopStage: number): ChildGroup => ({
    children: Array.from({ length: count }, (_, index) => child(role, index, count, config, env)),
    startStage,
    stopStage,
  })
  return [
    ...(engineDirectory(config) === undefined ? [] : [group('engine', 1, 0, 4)]),
    group('proxy', config.dev.proxies, 1, 0),
    group('controller', 1, 1, 3),
  ]
}

/** The workers of a release. `content` is where its files are. */
export function workerGroup(
  release: Release,
  { content, serves }: { content: string; serves: () => boolean },
  config: Config,
  env: Environment,
): ChildGroup {
  const { version, kind, entry, workers } = release
  const app = kind === 'module' ? join(content, entry) : config.worker.app
  const own: Config = { ...config, worker: { ...config.worker, version, app } }
  const count = workers ?? config.dev.workers
  const children = Array.from({ length: count }, (_, index): ChildSpec => {
    const spec = child('worker', index, count, own, env)
    const name = kind === 'configured' ? spec.name : `${version}/${spec.name}`
    return kind === 'checkout' ? ofCheckout({ ...spec, name }, content, entry) : { ...spec, name }
  })
  return { children, startStage: 1, stopStage: () => (serves() ? workerStopStage.serving : workerStopStage.others) }
}

/** A whole Holdfast runs under its own Node where it has one, and may have a schema with keys that ours lacks. */
function ofCheckout(spec: ChildSpec, content: string, entry: string): ChildSpec {
  const node = join(content, 'node_modules', 'node', 'bin', 'node')
  return {
    ...spec,
    script: join(content, entry),
    env: { ...spec.env, [neighbourVariable]: 'true' },
    ...(existsSync(node) ? { node } : {}),
  }
}

function child(role: Role, index: number, count: number, config: Config, env: Environment): ChildSpec {
  return {
    name: count === 1 ? role : `${role}-${index + 1}`,
    script: launcher,
    args: [role],
    nodeOptions: nodeOptions[role] ?? [],
    env: { ...withoutOurs(env), [resolvedConfigVariable]: JSON.stringify(configFor(role, index, config)) },
  }
}

/** Without our own variables: they may hold secrets that not every role may see, and the configuration says it all. */
function withoutOurs(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('HOLDFAST_')))
}

/** What one process may know: the store only where it is used, each secret only where it is checked. */
function configFor(role: Role, index: number, config: Config): Config {
  const { http_server, controller, client } = config
  const extraProxy = role === 'proxy' && index > 0
  return {
    ...config,
    store: role === 'proxy' ? '' : config.store,
    http_server: { ...http_server, internal_port: 0, port: extraProxy ? 0 : http_server.port },
    controller: role === 'controller' ? controller : { ...controller, token: '' },
    client: role === 'proxy' ? client : { ...client, token: { ...client.token, hmac_secret_key: '' } },
  }
}
