import type { Config } from './schema.ts'

/** How names of channels are made up. */
export type ChannelNames = Pick<Config['channel'], 'private_prefix' | 'namespace_boundary'>

/** The namespace in a channel's name, empty for none, and the rest. The private prefix belongs to neither. */
export function splitChannel(names: ChannelNames, channel: string): { namespace: string; rest: string } {
  const { private_prefix: prefix, namespace_boundary: boundary } = names
  const start = channel.startsWith(prefix) ? prefix.length : 0
  const at = boundary === '' ? -1 : channel.indexOf(boundary, start)
  if (at === -1) return { namespace: '', rest: channel }
  return { namespace: channel.slice(start, at), rest: channel.slice(at + boundary.length) }
}
