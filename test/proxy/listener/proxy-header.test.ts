import * as fc from 'fast-check'
/**
 * Proves the reading of PROXY protocol headers: what another implementation builds, every form that the specification
 * has, whatever was cut, and that nothing else passes.
 */
import {
  Command,
  INETProtocol,
  IPv4Address,
  IPv4ProxyAddress,
  IPv6Address,
  IPv6ProxyAddress,
  Peer,
  TransportProtocol,
  V1ProxyProtocol,
  V2ProxyProtocol,
} from 'proxy-protocol-js'
import t from 'tap'
import { canonicalAddress } from '../../../platform/networks.ts'
import { ProxyHeaderError } from '../../../proxy/listener/errors.ts'
import { binaryBytesMax, lineBytesMax, parseProxyHeader } from '../../../proxy/listener/proxy-header.ts'
import { binaryHeader, ip4, ip6, unix } from './proxy-headers.ts'

/** The problem that refuses a header; null when it is taken or not all there. */
function problemOf(data: Buffer): string | null {
  try {
    parseProxyHeader(data)
    return null
  } catch (error) {
    if (error instanceof ProxyHeaderError) return error.problem
    throw error
  }
}

const port = fc.integer({ min: 0, max: 65_535 })
const rest = fc.uint8Array({ maxLength: 20 })

void t.test('version 1 as another implementation builds it, cut anywhere', async (t) => {
  const family = fc.oneof(
    fc.record({ protocol: fc.constant(INETProtocol.TCP4), from: fc.ipV4(), to: fc.ipV4() }),
    fc.record({ protocol: fc.constant(INETProtocol.TCP6), from: fc.ipV6(), to: fc.ipV6() }),
  )
  fc.assert(
    fc.property(family, port, port, rest, ({ protocol, from, to }, sourcePort, port, rest) => {
      const header = Buffer.from(new V1ProxyProtocol(protocol, new Peer(from, sourcePort), new Peer(to, port)).build())
      // The generator knows longer ways to write an address than the specification allows.
      if (header.length > lineBytesMax) return
      const data = Buffer.concat([header, rest])
      for (let cut = 0; cut < header.length; cut++) t.equal(parseProxyHeader(data.subarray(0, cut)), null)
      const expected = { length: header.length, address: canonicalAddress(from) }
      for (let cut = header.length; cut <= data.length; cut++)
        t.strictSame(parseProxyHeader(data.subarray(0, cut)), expected)
    }),
    { numRuns: 30 },
  )
})

void t.test('version 2 as another implementation builds it, cut anywhere', async (t) => {
  const bytes = (length: number) => fc.array(fc.integer({ min: 0, max: 255 }), { minLength: length, maxLength: length })
  const family = fc.oneof(
    bytes(4).map((from) => {
      const [source, own] = [IPv4Address.createFrom(from), IPv4Address.createFrom([192, 0, 2, 1])]
      return { address: new IPv4ProxyAddress(source, 1, own, 2), text: from.join('.') }
    }),
    bytes(16).map((from) => {
      const [source, own] = [IPv6Address.createFrom(from), IPv6Address.createWithEmptyAddress()]
      const text = canonicalAddress(Buffer.from(from).toString('hex').match(/.{4}/g)!.join(':'))
      return { address: new IPv6ProxyAddress(source, 1, own, 2), text }
    }),
  )
  fc.assert(
    fc.property(family, rest, ({ address, text }, rest) => {
      const header = new V2ProxyProtocol(Command.PROXY, TransportProtocol.STREAM, address).build()
      const data = Buffer.concat([header, rest])
      for (let cut = 0; cut < header.length; cut++) t.equal(parseProxyHeader(data.subarray(0, cut)), null)
      t.strictSame(parseProxyHeader(data), { length: header.length, address: text })
    }),
    { numRuns: 30 },
  )
})

void t.test('forms of the specification', async (t) => {
  const line = (text: string) => Buffer.from(`${text}\r\n`)
  const cases: [name: string, header: Buffer, address: string | null][] = [
    ['an unknown client', line('PROXY UNKNOWN'), null],
    ['an unknown client with addresses to be ignored', line('PROXY UNKNOWN ffff:f::1 ::1 1 2'), null],
    ['IPv4 mapped into IPv6 is IPv4', line('PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2'), '1.2.3.4'],
    ['version 2, IPv4', binaryHeader(0x21, 0x11, ip4('192.0.2.7')), '192.0.2.7'],
    ['version 2, IPv6', binaryHeader(0x21, 0x21, ip6('2001:db8::7')), '2001:db8::7'],
    ['version 2, IPv4 mapped', binaryHeader(0x21, 0x21, ip6('::ffff:192.0.2.7')), '192.0.2.7'],
    ['version 2, more behind the address', binaryHeader(0x21, 0x11, ip4('192.0.2.7'), Buffer.alloc(300)), '192.0.2.7'],
    ['version 2, a Unix socket', binaryHeader(0x21, 0x31, unix), null],
    ['version 2, unspecified', binaryHeader(0x21, 0x00), null],
    ['version 2, unspecified with more', binaryHeader(0x21, 0x00, Buffer.alloc(9)), null],
    ['version 2, for itself', binaryHeader(0x20, 0x00), null],
    ['version 2, for itself, its address is not looked at', binaryHeader(0x20, 0x11, ip4('192.0.2.7')), null],
    ['version 2, for itself, without the address', binaryHeader(0x20, 0x11), null],
    ['version 2, as long as can be', binaryHeader(0x21, 0x11, ip4('1.2.3.4'), Buffer.alloc(1_012)), '1.2.3.4'],
  ]
  for (const [name, header, address] of cases) {
    t.strictSame(parseProxyHeader(header), { length: header.length, address }, name)
    for (let cut = 0; cut < header.length; cut++) {
      if (parseProxyHeader(header.subarray(0, cut)) !== null) t.fail(`${name}: complete at ${cut}`)
    }
  }
  t.equal(cases.at(-1)![1].length, binaryBytesMax)
})

void t.test('what is none', async (t) => {
  const cases: [data: string | Buffer, problem: string][] = [
    ['GET / HTTP/1.1\r\n', 'missing'],
    ['\r\n\r\nx', 'missing'],
    ['PROXY', 'none yet'],
    ['PROXYTCP4', 'missing'],
    ['proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n', 'missing'],
    ['PROXY \r\n', 'malformed'],
    ['PROXY TCP4\r\n', 'malformed'],
    ['PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n', 'malformed'],
    ['PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n', 'malformed'],
    ['PROXY TCP4 localhost 1.2.3.4 1 2\r\n', 'malformed'],
    ['PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n', 'malformed'],
    ['PROXY TCP4 ::1 ::1 1 2\r\n', 'malformed'],
    ['PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n', 'malformed'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n', 'malformed'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n', 'malformed'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n', 'malformed'],
    ['PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n', 'malformed'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n', 'malformed'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nGET / HTTP/1.1\r\n', 'malformed'],
    [`PROXY UNKNOWN ${'x'.repeat(90)}\r\n`, 'none: the longest line'],
    [`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, 'too_long'],
    [binaryHeader(0x11, 0x11, ip4('1.2.3.4')), 'malformed'],
    [binaryHeader(0x31, 0x11, ip4('1.2.3.4')), 'malformed'],
    [binaryHeader(0x22, 0x11, ip4('1.2.3.4')), 'malformed'],
    [binaryHeader(0x21, 0x41, ip4('1.2.3.4')), 'malformed'],
    [binaryHeader(0x21, 0x11, Buffer.alloc(11)), 'malformed'],
    [binaryHeader(0x21, 0x21, ip4('1.2.3.4')), 'malformed'],
    [binaryHeader(0x21, 0x11, Buffer.alloc(1_025)), 'too_long'],
    [binaryHeader(0x21, 0x11, Buffer.alloc(65_535)).subarray(0, 16), 'too_long'],
  ]
  for (const [data, problem] of cases) {
    const found = problemOf(Buffer.from(data)) ?? 'none'
    t.ok(problem.startsWith(found), `${JSON.stringify(data.toString('latin1').slice(0, 60))}: ${found}`)
  }
})

void t.test('any bytes: an answer or a problem, in bounds', async () => {
  const signatures = [Buffer.alloc(0), Buffer.from('PROXY TCP4 '), binaryHeader(0x21, 0x11).subarray(0, 12)]
  fc.assert(
    fc.property(fc.constantFrom(...signatures), fc.uint8Array({ maxLength: 2_000 }), (signature, noise) => {
      const data = Buffer.concat([signature, noise])
      if (problemOf(data) !== null) return true
      const header = parseProxyHeader(data)
      return header === null ? data.length < binaryBytesMax : header.length <= data.length
    }),
  )
})
