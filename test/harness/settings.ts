import type { Config } from '../../config/config.ts'
/** The settings of test clusters: in one process, and of real processes. */
import { loadConfig } from '../../config/load.ts'
import { secret } from './tokens.ts'

/** Few slots, and short intervals, so that failures are found quickly. Everybody may come in. */
const settingsInOneProcess = {
  'topics.slots': '4',
  'topics.inbox_partitions': '4',
  'client.insecure': 'true',
  'controller.death_time': '300ms',
  'controller.proxy_death_time': '1s',
  'worker.heartbeat_interval': '50ms',
  'proxy.heartbeat_interval': '100ms',
  'shutdown.jitter': '10ms',
  'shutdown.timeout': '2s',
}

/** The configuration of a cluster in one process; `flags` are as those of the command line, and come first. */
export function testConfig(flags: Record<string, string> = {}): Config {
  const all = { ...settingsInOneProcess, ...flags }
  return loadConfig({ env: {}, cwd: import.meta.dirname, dev: true, flags: all }).config
}

/** More for one that clients reach by the network, and where tokens are needed. */
export const servedSettings = {
  'client.insecure': 'false',
  // On a busy machine a proxy that misses three of the cluster's quick ones would take no clients.
  'proxy.heartbeat_interval': '1s',
  'controller.proxy_death_time': '10s',
  'client.token.hmac_secret_key': secret,
}

/** The environment of real processes, without the ports and places that each cluster has for itself. */
export const processSettings = {
  HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY: secret,
  // 64 on Kafka would only make every start of a test longer.
  HOLDFAST_TOPICS_SLOTS: '16',
}

/** Slots of the group that `groupSettings` makes. */
export const groupSlots = 4

/** A namespace that is as open as channels without one are, with a group of slots of its own, `inner`. */
export function groupSettings(namespace: string): Record<string, string> {
  const open = {
    name: namespace,
    allow_subscribe_for_client: true,
    allow_publish_for_subscriber: true,
    allow_history_for_subscriber: true,
    history_size: 100,
    history_ttl: '5m',
    force_recovery: true,
  }
  return {
    HOLDFAST_CHANNEL_NAMESPACES: JSON.stringify([open]),
    HOLDFAST_TOPICS_GROUPS: JSON.stringify([{ name: 'inner', slots: groupSlots, namespaces: [namespace] }]),
  }
}

/** What `holdfast dev` allows in channels, for a proxy that another starts. */
export const otherProxySettings = {
  HOLDFAST_CHANNEL_WITHOUT_NAMESPACE_ALLOW_SUBSCRIBE_FOR_CLIENT: 'true',
  HOLDFAST_CHANNEL_WITHOUT_NAMESPACE_ALLOW_PUBLISH_FOR_SUBSCRIBER: 'true',
  HOLDFAST_CHANNEL_WITHOUT_NAMESPACE_ALLOW_HISTORY_FOR_SUBSCRIBER: 'true',
  HOLDFAST_CHANNEL_WITHOUT_NAMESPACE_HISTORY_SIZE: '100',
  HOLDFAST_CHANNEL_WITHOUT_NAMESPACE_HISTORY_TTL: '5m',
  HOLDFAST_CHANNEL_WITHOUT_NAMESPACE_FORCE_RECOVERY: 'true',
}
