/** Builds PROXY protocol headers of version 2 byte by byte, good ones and others. */
export function binaryHeader(command: number, family: number, ...parts: Buffer[]): Buffer {
  const payload = Buffer.concat(parts)
  const fixed = Buffer.from('\r\n\r\n\0\r\nQUIT\n\0\0\0\0')
  fixed.writeUInt8(command, 12)
  fixed.writeUInt8(family, 13)
  fixed.writeUInt16BE(payload.length, 14)
  return Buffer.concat([fixed, payload])
}

const ports = Buffer.from([0xc3, 0x50, 0x1f, 0x40])

/** Source and destination address of IPv4. */
export function ip4(source: string): Buffer {
  return Buffer.concat([Buffer.from(source.split('.').map(Number)), Buffer.from([192, 0, 2, 1]), ports])
}

/** The same of IPv6; `::` stands for as many zeros as are missing, the last 32 bits may be written as IPv4. */
export function ip6(source: string): Buffer {
  const hex = source.replace(/\d+\.\d+\.\d+\.\d+$/, (four) =>
    Buffer.from(four.split('.').map(Number)).toString('hex').replace(/^.{4}/, '$&:'),
  )
  const [left = [], right = []] = hex.split('::').map((side) => side.split(':').filter(Boolean))
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
  const bytes = Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex')
  return Buffer.concat([bytes, Buffer.alloc(16), ports])
}

/** Two paths of Unix sockets. */
export const unix = Buffer.alloc(216)

/** One of IPv4 as a balancer sends it for a client. */
export const headerFor = (address: string): Buffer =>
  address.includes(':') ? binaryHeader(0x21, 0x21, ip6(address)) : binaryHeader(0x21, 0x11, ip4(address))
