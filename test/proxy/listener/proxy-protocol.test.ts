/**
 * Proves the public listener behind a balancer: the client's address comes from the PROXY protocol and reaches sessions
 * and log lines, however the bytes are cut; who lies, dawdles or leaves the header out loses its own connection, and
 * nobody else notices.
 */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { lineBytesMax } from '../../../proxy/listener/proxy-header.ts'
import { headerDeadlineMs } from '../../../proxy/listener/proxy-protocol.ts'
import { BareClient, upgradeRequest } from '../../harness/clients/bare-client.ts'
import { clientFrame } from '../../harness/clients/frames.ts'
import { Served } from '../../harness/served.ts'
import { tokenFor } from '../../harness/tokens.ts'
import { notingLogger } from '../../support/loggers.ts'
import { until } from '../../support/until.ts'
import { binaryHeader, headerFor, ip4, unix } from './proxy-headers.ts'

/** What the proxy logs, one object a line. */
class Heard {
  readonly #noted = notingLogger('debug')
  readonly lines = this.#noted.lines
  readonly logger = this.#noted.logger

  addresses(msg: string): unknown[] {
    return this.lines.filter((line) => line['msg'] === msg).map((line) => line['address'])
  }
}

async function behindBalancer(t: Test, flags: Record<string, string> = {}): Promise<{ served: Served; heard: Heard }> {
  const heard = new Heard()
  const served = await Served.start({ 'http_server.proxy_protocol': 'true', ...flags }, heard.logger)
  t.teardown(() => served[Symbol.asyncDispose]())
  return { served, heard }
}

/** Connections refused so far, by the reason after `proxy_protocol_`. */
async function refused({ metrics }: Served): Promise<Record<string, number>> {
  const { values } = await metrics.connectionsRefused.get()
  return Object.fromEntries(
    values.map(({ labels, value }) => [String(labels.reason).replace('proxy_protocol_', ''), value]),
  )
}

const firstLine = async (address: string): Promise<Buffer> =>
  clientFrame(JSON.stringify({ id: 1, connect: { token: await tokenFor(address) } }))

void t.test('the address of every kind of header reaches session and log', async (t) => {
  const { served, heard } = await behindBalancer(t)
  const cases: [header: Buffer | string, address: string][] = [
    ['PROXY TCP4 192.0.2.1 192.0.2.200 50000 443\r\n', '192.0.2.1'],
    ['PROXY TCP6 2001:db8:0::2 2001:db8::ffff 50000 443\r\n', '2001:db8::2'],
    [headerFor('192.0.2.3'), '192.0.2.3'],
    [headerFor('2001:db8::4'), '2001:db8::4'],
    [headerFor('::ffff:192.0.2.5'), '192.0.2.5'],
    [binaryHeader(0x21, 0x11, ip4('192.0.2.6'), Buffer.alloc(200)), '192.0.2.6'],
    ['PROXY UNKNOWN\r\n', '127.0.0.1'],
    [binaryHeader(0x20, 0x00), '127.0.0.1'],
    [binaryHeader(0x21, 0x31, unix), '127.0.0.1'],
  ]
  for (const [header, address] of cases) {
    using client = await BareClient.open(served)
    client.socket.write(Buffer.concat([Buffer.from(header), Buffer.from(upgradeRequest), await firstLine(address)]))
    await until('it is connected', () => client.received.includes('"connect"'))
    t.equal(heard.addresses('connected').at(-1), address)
    client.socket.write(clientFrame('nonsense'))
    await until('it is closed', () => client.received.includes('bad request'))
    t.equal(heard.addresses('client broke the protocol').at(-1), address)
  }
  t.strictSame(await refused(served), {})
})

void t.test('header, request and first command cut at every byte', async (t) => {
  const { served, heard } = await behindBalancer(t)
  const sockets: Socket[] = []
  served.listener.server.on('connection', (socket: Socket) => sockets.push(socket))
  const connect = await firstLine('ada')
  for (const header of [Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.200 50000 443\r\n'), headerFor('192.0.2.1')]) {
    const data = Buffer.concat([header, Buffer.from(upgradeRequest), connect])
    const before = heard.addresses('connected').length
    // Past the header and the request every tenth byte says enough.
    const cuts = Array.from({ length: data.length - 1 }, (_, i) => i + 1)
    const chosen = cuts.filter((cut) => cut <= header.length + upgradeRequest.length || cut % 10 === 0)
    for (const cut of chosen) {
      using client = await BareClient.open(served)
      client.socket.write(data.subarray(0, cut))
      await until('the first part is there', () => {
        // The newest: those that are over still know their port, and the system gives a free one out again.
        const socket = sockets.findLast(({ remotePort }) => remotePort === client.socket.localPort)
        return socket?.bytesRead === cut
      })
      client.socket.write(data.subarray(cut))
      await until(`an answer when cut at ${cut}`, () => client.received.includes('"connect"'))
    }
    const addresses = heard.addresses('connected').slice(before)
    t.equal(addresses.length, chosen.length)
    t.ok(addresses.every((address) => address === '192.0.2.1'))
  }
  t.strictSame(await refused(served), {})
})

void t.test('one byte at a time', async (t) => {
  const { served, heard } = await behindBalancer(t)
  using client = await BareClient.open(served)
  const data = Buffer.concat([headerFor('192.0.2.1'), Buffer.from(upgradeRequest), await firstLine('ada')])
  for (const byte of data) {
    client.socket.write(Buffer.from([byte]))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await until('an answer', () => client.received.includes('"connect"'))
  t.strictSame(heard.addresses('connected'), ['192.0.2.1'])
})

void t.test('what is no header ends its own connection', async (t) => {
  const { served } = await behindBalancer(t)
  using bystander = await BareClient.open(served)
  bystander.socket.write(Buffer.concat([headerFor('192.0.2.1'), Buffer.from(upgradeRequest), await firstLine('bob')]))
  await until('it is connected', () => bystander.received.includes('"connect"'))

  const cases: [data: string | Buffer, reason: string][] = [
    [upgradeRequest, 'missing'],
    ['PROXY TCP4 somewhere 192.0.2.1 1 2\r\n', 'malformed'],
    [`PROXY ${'x'.repeat(lineBytesMax)}`, 'too_long'],
    [binaryHeader(0x21, 0x11, Buffer.alloc(60_000)), 'too_long'],
    [binaryHeader(0x2f, 0x11, ip4('192.0.2.1')), 'malformed'],
  ]
  const expected: Record<string, number> = {}
  for (const [data, reason] of cases) {
    using client = await BareClient.open(served)
    client.socket.write(data)
    await until('it is closed', () => client.closed)
    t.equal(client.received, '', 'without a word')
    expected[reason] = (expected[reason] ?? 0) + 1
    t.match(await refused(served), expected)
  }
  using cut = await BareClient.open(served)
  cut.socket.end(headerFor('192.0.2.1').subarray(0, 9))
  await until('it is closed', () => cut.closed)
  t.match(await refused(served), { missing: 2 }, 'a client that leaves in the middle of it')

  const start = performance.now()
  using late = await BareClient.open(served)
  late.socket.write('PROXY TCP4 192')
  await until('it is closed', () => late.closed)
  t.ok(performance.now() - start >= headerDeadlineMs - 50)
  t.match(await refused(served), { late: 1 })
  bystander.socket.write(clientFrame('{"id":2,"rpc":{}}'))
  await until('it is answered', () => bystander.received.includes('"id":2'))
})

void t.test('a peer that is not trusted', async (t) => {
  const { served } = await behindBalancer(t, { 'http_server.proxy_protocol_trusted': '127.0.0.2, 10.0.0.0/8' })
  using forger = await BareClient.open(served)
  forger.socket.write(Buffer.concat([headerFor('192.0.2.1'), Buffer.from(upgradeRequest)]))
  await until('it is closed', () => forger.closed)
  t.equal(forger.received, '')
  t.strictSame(await refused(served), { untrusted: 1 })
  t.equal(served.proxy.sessions.size, 0)
})

void t.test('without the setting a header is no HTTP, and nobody chooses an address', async (t) => {
  const heard = new Heard()
  await using served = await Served.start({}, heard.logger)
  using forger = await BareClient.open(served)
  forger.socket.write(
    Buffer.concat([Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'), Buffer.from(upgradeRequest)]),
  )
  t.equal(await forger.status(), 400)
  const wire = await served.open({ headers: { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' } })
  await wire.connect(await tokenFor('ada'))
  t.strictSame(heard.addresses('connected'), ['127.0.0.1'])
})

void t.test('HTTP keep-alive and the real WebSocket library behind a header', async (t) => {
  const { served, heard } = await behindBalancer(t)
  using plain = await BareClient.open(served)
  const request = 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n'
  plain.socket.write(Buffer.concat([headerFor('192.0.2.1'), Buffer.from(request)]))
  t.equal(await plain.status(), 404)
  plain.received = ''
  plain.socket.write(request)
  t.equal(await plain.status(), 404, 'the next request needs no header')

  const ws = new WebSocket(served.url, {
    createConnection: () => {
      const socket = createConnection(served.port, '127.0.0.1')
      socket.write(headerFor('192.0.2.9'))
      return socket
    },
  })
  await once(ws, 'open')
  ws.send(JSON.stringify({ id: 1, connect: { token: await tokenFor('ada') } }))
  const [answer] = (await once(ws, 'message')) as [Buffer]
  t.match(answer.toString(), /"connect"/)
  // Large enough to come in many pieces, after the server has taken over the socket's handle.
  ws.send(JSON.stringify({ id: 2, rpc: { data: 'x'.repeat(60_000) } }))
  const [reply] = (await once(ws, 'message')) as [Buffer]
  t.match(reply.toString(), /"id":2/)
  t.equal(heard.addresses('connected').at(-1), '192.0.2.9')
  ws.terminate()
})

void t.test('a stop does not wait for headers', async (t) => {
  const { served } = await behindBalancer(t)
  using silent = await BareClient.open(served)
  await until('it is known', async () => (await served.connections()) === 1)
  const start = performance.now()
  await served.listener.close()
  t.ok(performance.now() - start < headerDeadlineMs / 2)
  await until('it is closed', () => silent.closed)
})
