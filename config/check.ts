import { resolve } from 'node:path'
import { parseKafkaUrl } from '../log/kafka/url.ts'
import { parseNetworks } from '../platform/networks.ts'
import { parseMysqlUrl } from '../store/mysql/url.ts'
import { embeddedDirectory, logUrl, slotCount, storeUrl } from './config.ts'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { ConfigError } from './errors.ts'
import { getPath } from './keys.ts'
import { normalOriginPattern } from './origin-pattern.ts'
import { compilePattern } from './pattern.ts'
import { slotsMax } from './schema.ts'

/** Pairs of durations; the first must be shorter than the second. */
export const shorterDurations: readonly (readonly [string, string])[] = [
  ['client.pong_timeout', 'client.ping_interval'],
  ['worker.heartbeat_interval', 'controller.death_time'],
  ['proxy.heartbeat_interval', 'controller.proxy_death_time'],
]

/** Checks what no single key can tell. Throws ConfigError. */
export function checkConfig(config: Config): void {
  checkUrls(config)
  checkNetworks('http_server.proxy_protocol_trusted', config.http_server.proxy_protocol_trusted)
  for (const [shorter, longer] of shorterDurations) mustBeShorter(config, shorter, longer)
  config.client.allowed_origins.forEach(checkOrigin)
  checkTokens(config.client.token)
  checkChannelOptions('channel.without_namespace', config.channel.without_namespace)
  for (const [index, namespace] of config.channel.namespaces.entries()) {
    checkChannelOptions(`channel.namespaces[${index}]`, namespace)
  }
  checkGroups(config)
}

function checkGroups(config: Config): void {
  const known = new Set(config.channel.namespaces.map(({ name }) => name))
  const groupOf = new Map<string, string>()
  for (const [index, { name: group, namespaces }] of config.topics.groups.entries()) {
    const path = `topics.groups[${index}].namespaces`
    if (namespaces.length === 0) throw new ConfigError(`${path}: ${group} needs at least one namespace`)
    for (const namespace of namespaces) {
      if (!known.has(namespace)) throw new ConfigError(`${path}: ${namespace} is not in channel.namespaces`)
      const other = groupOf.get(namespace)
      if (other !== undefined) throw new ConfigError(`${path}: ${namespace} is in the group ${other} already`)
      groupOf.set(namespace, group)
    }
  }
  const slots = config.topics.groups.reduce((sum, group) => sum + group.slots, slotCount(config))
  if (slots > slotsMax)
    throw new ConfigError(`topics.groups: ${slots} slots with those of default, at most ${slotsMax}`)
}

function checkUrls(config: Config): void {
  checkUrl('log', logUrl(config), 'kafka://', parseKafkaUrl, 'kafka://broker-1:9092,broker-2:9092')
  checkUrl('store', storeUrl(config), 'mysql://', parseMysqlUrl, 'mysql://user:password@database/holdfast')
  const [log, store] = [embeddedDirectory(logUrl(config)), embeddedDirectory(storeUrl(config))]
  if (log !== undefined && store !== undefined && resolve(log) !== resolve(store)) {
    throw new ConfigError('store: the embedded store lies in the directory of the embedded log; set both or none')
  }
}

/** `parse` throws one clear error that does not repeat the URL, which may hold a password. */
function checkUrl(key: string, url: string, scheme: string, parse: (url: string) => unknown, example: string): void {
  if (embeddedDirectory(url)) return
  if (!url.startsWith(scheme)) {
    throw new ConfigError(`${key}: allowed: embedded:DIRECTORY, or a URL such as ${example}`)
  }
  try {
    parse(url)
  } catch (error) {
    throw new ConfigError(`${key}: ${(error as Error).message}; an example: ${example}`, { cause: error })
  }
}

function checkNetworks(key: string, networks: string[]): void {
  try {
    parseNetworks(networks)
  } catch (error) {
    throw new ConfigError(`${key}: ${(error as Error).message}`, { cause: error })
  }
}

function mustBeShorter(config: Config, shorter: string, longer: string): void {
  const [short, long] = [getPath(config, shorter) as number, getPath(config, longer) as number]
  if (short < long) return
  throw new ConfigError(`${shorter}: ${formatDuration(short)} must be shorter than ${longer}, ${formatDuration(long)}`)
}

function checkOrigin(origin: string): void {
  try {
    normalOriginPattern(origin)
  } catch (error) {
    throw new ConfigError(`client.allowed_origins: ${origin}: ${(error as Error).message}`, { cause: error })
  }
}

function checkTokens(token: Config['client']['token']): void {
  for (const name of ['audience', 'issuer'] as const) {
    checkRegex(`client.token.${name}_regex`, token[`${name}_regex`])
    if (token[name] !== '' && token[`${name}_regex`] !== '') {
      throw new ConfigError(`client.token.${name}_regex: set it or client.token.${name}, not both`)
    }
  }
}

function checkRegex(key: string, text: string): void {
  try {
    if (text !== '') compilePattern(text)
  } catch (error) {
    throw new ConfigError(`${key}: ${(error as Error).message}`, { cause: error })
  }
}

function checkChannelOptions(path: string, options: Config['channel']['without_namespace']): void {
  checkRegex(`${path}.channel_regex`, options.channel_regex)
  const { force_recovery, history_size, history_ttl } = options
  if (force_recovery && (history_size === 0 || history_ttl === 0)) {
    throw new ConfigError(`${path}.force_recovery: needs history_size and history_ttl above 0`)
  }
}
