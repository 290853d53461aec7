import { isIPv4, isIPv6 } from 'node:net'
import { canonicalAddress } from '../../platform/networks.ts'
import { ProxyHeaderError } from './errors.ts'

/**
 * The PROXY protocol's header (HAProxy, doc/proxy-protocol.txt), versions 1 and 2. The package proxy-protocol-js would
 * need the whole header before it starts, takes any word for an address and refuses the short form `PROXY UNKNOWN`.
 */

/** What a header says, once all of it is there. */
export interface ProxyHeader {
  /** Where the header ends and the client's own bytes begin. */
  length: number
  /** Of the client, canonical; null when the balancer speaks for itself (health checks) or does not know. */
  address: string | null
}

/** Longest line of version 1, its line end included, as the specification has it. */
export const lineBytesMax = 107
/** Longest header of version 2: the longest addresses (216 bytes) and room for what balancers add about TLS. */
export const binaryBytesMax = 1_040

const lineSignature = Buffer.from('PROXY ')
const lineEnd = Buffer.from('\r\n')
const binarySignature = Buffer.from('\r\n\r\n\0\r\nQUIT\n')
/** Signature, version and command, family and transport, length of the rest. */
const binaryFixedBytes = 16

/** Reads the header at the beginning of `data`; null when more bytes are needed. Throws ProxyHeaderError. */
export function parseProxyHeader(data: Buffer): ProxyHeader | null {
  if (beginsLike(data, binarySignature)) return parseBinary(data)
  if (beginsLike(data, lineSignature)) return parseLine(data)
  throw new ProxyHeaderError('missing')
}

/** True when the data begins with the signature, as far as it goes. */
function beginsLike(data: Buffer, signature: Buffer): boolean {
  const length = Math.min(data.length, signature.length)
  return data.compare(signature, 0, length, 0, length) === 0
}

const line = /^PROXY (?:UNKNOWN(?: .*)?|TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5}))$/

function parseLine(data: Buffer): ProxyHeader | null {
  const end = data.subarray(0, lineBytesMax).indexOf(lineEnd)
  if (end === -1) {
    if (data.length >= lineBytesMax) throw new ProxyHeaderError('too_long')
    return null
  }
  const length = end + lineEnd.length
  const match = line.exec(data.toString('latin1', 0, end))
  if (!match) throw new ProxyHeaderError('malformed')
  const [, family, source = '', destination = '', ...ports] = match
  if (family === undefined) return { length, address: null }
  const isAddress = family === '4' ? isIPv4 : isIPv6
  if (!isAddress(source) || !isAddress(destination) || ports.some((port) => Number(port) > 65_535)) {
    throw new ProxyHeaderError('malformed')
  }
  return { length, address: canonicalAddress(source) }
}

/** The upper half of the byte: version 2 and nothing else. */
const commands: Record<number, 'local' | 'proxy'> = { 0x20: 'local', 0x21: 'proxy' }

/** Bytes of both addresses and ports by family, the upper half of its byte: unspecified, IPv4, IPv6, Unix. */
const addressBytes: Record<number, number> = { 0x0: 0, 0x1: 12, 0x2: 36, 0x3: 216 }

function parseBinary(data: Buffer): ProxyHeader | null {
  if (data.length < binaryFixedBytes) return null
  const command = commands[data.readUInt8(12)]
  const family = data.readUInt8(13) >> 4
  const bytes = addressBytes[family]
  const length = binaryFixedBytes + data.readUInt16BE(14)
  if (command === undefined || bytes === undefined) throw new ProxyHeaderError('malformed')
  if (length > binaryBytesMax) throw new ProxyHeaderError('too_long')
  // Whoever speaks for itself may leave the addresses out, whatever the family says.
  if (command === 'proxy' && length < binaryFixedBytes + bytes) throw new ProxyHeaderError('malformed')
  if (data.length < length) return null
  return { length, address: command === 'proxy' ? binaryAddress(data.subarray(binaryFixedBytes), family) : null }
}

function binaryAddress(data: Buffer, family: number): string | null {
  if (family === 0x1) return data.subarray(0, 4).join('.')
  if (family !== 0x2) return null
  return canonicalAddress(data.toString('hex', 0, 16).match(/.{4}/g)!.join(':'))
}
