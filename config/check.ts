import { resolve } from 'node:path'
import { embeddedDirectory, logUrl, storeUrl } from './config.ts'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { ConfigError } from './error.ts'
import { getPath } from './keys.ts'

/** Checks what no single key can tell. Throws ConfigError. */
export function checkConfig(config: Config): void {
  checkUrls(config)
  mustBeShorter(config, 'client.pong_timeout', 'client.ping_interval')
  mustBeShorter(config, 'worker.heartbeat_interval', 'controller.death_time')
  mustBeShorter(config, 'proxy.heartbeat_interval', 'controller.proxy_death_time')
  checkChannelOptions('channel.without_namespace', config.channel.without_namespace)
  for (const [index, namespace] of config.channel.namespaces.entries()) {
    checkChannelOptions(`channel.namespaces[${index}]`, namespace)
  }
}

function checkUrls(config: Config): void {
  const [log, store] = [directoryOf('log', logUrl(config)), directoryOf('store', storeUrl(config))]
  if (log !== store) {
    throw new ConfigError('store: the embedded store lies in the directory of the embedded log; set both or none')
  }
}

function directoryOf(key: string, url: string): string {
  const directory = embeddedDirectory(url)
  // The URL may hold a password, so the message does not repeat it.
  if (!directory) throw new ConfigError(`${key}: allowed: embedded:DIRECTORY, for example embedded:.holdfast`)
  return resolve(directory)
}

function mustBeShorter(config: Config, shorter: string, longer: string): void {
  const [short, long] = [getPath(config, shorter) as number, getPath(config, longer) as number]
  if (short < long) return
  throw new ConfigError(`${shorter}: ${formatDuration(short)} must be shorter than ${longer}, ${formatDuration(long)}`)
}

function checkChannelOptions(path: string, options: Config['channel']['without_namespace']): void {
  const { force_recovery, history_size, history_ttl } = options
  if (force_recovery && (history_size === 0 || history_ttl === 0)) {
    throw new ConfigError(`${path}.force_recovery: needs history_size and history_ttl above 0`)
  }
}
