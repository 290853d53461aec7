import schema from './centrifugo-keys.json' with { type: 'json' }
import { WrittenNumber } from './written.ts'

/**
 * What a file of Centrifugo may set that we lack. The names come from its published schema (centrifugo-schema.ts); which
 * of them restrict what clients may do, or tell who they are, is said here: those are never ignored.
 */

const known = new Set(schema.keys)

/** Keys that restrict or identify as soon as they are set to anything. */
const restricting = new Set([
  'http_server.tls.enabled',
  'http_server.tls_autocert.enabled',
  'http_server.tls_external',
  'http_server.internal_tls.enabled',
  'websocket.disabled',
  'client.token.hmac_previous_secret_key',
  'client.token.rsa_public_key',
  'client.token.ecdsa_public_key',
  'client.token.jwks_public_endpoint',
  'client.subscription_token.enabled',
  'client.user_id_http_header',
  'client.proxy.connect.enabled',
  'client.proxy.refresh.enabled',
  'client.user_connection_limit',
  'client.connection_rate_limit',
  'client.subscribe_to_user_personal_channel.single_connection',
  'channel.publication_data_format',
  ...['channel.without_namespace', 'channel.namespaces[]'].flatMap((path) =>
    [
      'publication_data_format',
      'subscribe_proxy_enabled',
      'publish_proxy_enabled',
      'sub_refresh_proxy_enabled',
      'subscribe_stream_proxy_enabled',
    ].map((name) => `${path}.${name}`),
  ),
])

/** Values that restrict nothing here: all data is JSON. */
const harmless = new Map<string, readonly unknown[]>([['publication_data_format', ['json', 'binary']]])

const withoutIndexes = (path: string): string => path.replaceAll(/\[\d+\]/g, '[]')

/** Keys that have others below them. */
const sections = new Set(schema.keys.map((key) => key.slice(0, Math.max(key.lastIndexOf('.'), 0))))

/** True when Centrifugo v6 has the key, or a value of it. `channel.namespaces[2].presence` counts as any index. */
export function isCentrifugoKey(path: string): boolean {
  const key = withoutIndexes(path)
  if (known.has(key)) return true
  const above = key.slice(0, Math.max(key.lastIndexOf('.'), 0))
  // Below a key without others stands whatever somebody writes, such as the headers of a request.
  return above !== '' && !sections.has(above) && isCentrifugoKey(above)
}

/** Paths at or below `path` that restrict or identify with the value that is set there. */
export function restrictingKeys(path: string, value: unknown): string[] {
  if (isNothing(value)) return []
  if (Array.isArray(value)) return value.flatMap((item, index) => restrictingKeys(`${path}[${index}]`, item))
  if (typeof value === 'object' && value !== null && !(value instanceof WrittenNumber)) {
    return Object.entries(value).flatMap(([name, below]) => restrictingKeys(`${path}.${name}`, below))
  }
  const isHarmless = harmless.get(path.slice(path.lastIndexOf('.') + 1))?.includes(value)
  return restricting.has(withoutIndexes(path)) && !isHarmless ? [path] : []
}

/** True for a value that switches nothing on: whoever writes it asks for nothing that we lack. */
export function isNothing(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  if (value instanceof WrittenNumber) return value.value === 0
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isNothing)
  return ['', '0', '0s', 'false', 'null', 'undefined'].includes(String(value))
}
