import { BlockList, SocketAddress, isIP, isIPv6 } from 'node:net'

/** IPv4 addresses as an IPv6 socket shows them. */
const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/**
 * One text for each IP address: IPv6 in its shortest form and without a zone, an IPv4 address that came over IPv6 as
 * IPv4. What is no address stays as it is.
 */
export function canonicalAddress(text: string): string {
  const [address = ''] = text.split('%')
  if (!isIPv6(address)) return address
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address
  return mapped.exec(canonical)?.[1] ?? canonical
}

/** The part of an address that one subscriber of a provider has: all of IPv4, the first 64 bits of IPv6. */
export function subscriberOf(canonical: string): string {
  if (!isIPv6(canonical)) return canonical
  const [left = [], right = []] = canonical.split('::').map((side) => side.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`
}

/** A list to check addresses against. Throws an error that names the first text that is no address or network. */
export function parseNetworks(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) addNetwork(list, text)
  return list
}

function addNetwork(list: BlockList, text: string): void {
  const [address = '', prefix, ...more] = text.split('/')
  const version = isIP(address)
  const bits = version === 4 ? 32 : 128
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN
  if (version === 0 || more.length > 0 || !(length <= bits)) {
    throw new Error(`${JSON.stringify(text)} is neither an IP address nor a network such as 10.0.0.0/8`)
  }
  list.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6')
}

/** True when the list has the address. */
export function isIn(list: BlockList, canonical: string): boolean {
  return isIP(canonical) !== 0 && list.check(canonical, isIPv6(canonical) ? 'ipv6' : 'ipv4')
}
