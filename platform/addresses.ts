import { networkInterfaces } from 'node:os'
import type { NetworkInterfaceInfo } from 'node:os'

/** `host:port` as URLs have it: an IPv6 address stands in brackets. */
export function authority(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

/**
 * The host under which others reach a listener: `advertised` where that is set, else what it listens on; where that is
 * every interface, the address of the first that is not loopback, and loopback on a machine that has no other.
 */
export function hostToAnnounce(
  listensOn: string,
  advertised: string,
  interfaces: () => Interfaces = networkInterfaces,
): string {
  if (advertised !== '') return advertised
  if (!isWildcard(listensOn)) return listensOn
  const all = Object.values(interfaces()).flatMap((addresses) => addresses ?? [])
  const [v4, v6] = (['IPv4', 'IPv6'] as const).map((family) => all.find((each) => isReachable(each, family))?.address)
  // Who listens on `::` takes connections over IPv4 too.
  return v4 ?? (listensOn === '0.0.0.0' ? '127.0.0.1' : (v6 ?? '::1'))
}

/** True for an address that stands for every interface of the machine it is used on. */
function isWildcard(address: string): boolean {
  return /^(?:0\.0\.0\.0|::|)$/.test(address)
}

/** A link-local address means nothing without the name of an interface at the other side. */
function isReachable({ family, internal, address }: NetworkInterfaceInfo, wanted: 'IPv4' | 'IPv6'): boolean {
  return family === wanted && !internal && !/^(?:fe80:|169\.254\.)/i.test(address)
}
