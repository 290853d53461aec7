/**
 * Proves what a request for the WebSocket gets that cannot become one: an answer at once that says why, on a connection
 * that is served and ends as any other, and counts for its address. And that lists of subprotocols are read as lists.
 */
import t from 'tap'
import { sessionSweepMs } from '../../../../proxy/sessions/sessions.ts'
import { subprotocolList } from '../../../../proxy/transports/websocket/handshake.ts'
import { websocketPath } from '../../../../proxy/transports/websocket/route.ts'
import { BareClient, upgradeRequest } from '../../../harness/clients/bare-client.ts'
import { clientFrame } from '../../../harness/clients/frames.ts'
import { Served } from '../../../harness/served.ts'
import { tokenFor } from '../../../harness/tokens.ts'
import { until } from '../../../support/until.ts'

const staleCloseDelayMs = 1_000
const served = await Served.start({ 'client.stale_close_delay': `${staleCloseDelayMs}ms` })
t.teardown(() => served[Symbol.asyncDispose]())

const plain = (line: string, ...headers: string[]): string =>
  [`${line} ${websocketPath} HTTP/1.1`, 'Host: x', ...headers, '\r\n'].join('\r\n')
const without = (header: string): string => upgradeRequest.replace(new RegExp(`${header}: .*\r\n`), '')
const withVersion = (version: string): string =>
  upgradeRequest.replace('Sec-WebSocket-Version: 13', `Sec-WebSocket-Version: ${version}`)

const needsUpgrade = /^HTTP\/1\.1 426 [^]*\r\nupgrade: websocket\r\nconnection: upgrade\r\n/i
const cases: [name: string, request: string, status: number, says: RegExp][] = [
  ['a plain GET', plain('GET'), 426, needsUpgrade],
  ['a plain HEAD', plain('HEAD'), 426, needsUpgrade],
  ['a GET with a body', `${plain('GET', 'Content-Length: 2')}{}`, 426, needsUpgrade],
  ['a balancer that drops Upgrade', without('Upgrade'), 426, /"code":"upgrade_required"/],
  ['a balancer that drops Connection', without('Connection'), 426, /"code":"upgrade_required"/],
  ['a balancer that speaks HTTP/1.0', upgradeRequest.replace('HTTP/1.1', 'HTTP/1.0'), 426, /"code":"upgrade_required"/],
  ['an upgrade to something else', upgradeRequest.replace('Upgrade: websocket', 'Upgrade: h2c'), 426, needsUpgrade],
  ['an upgrade that is a HEAD', upgradeRequest.replace('GET', 'HEAD'), 426, needsUpgrade],
  ['an upgrade with a body', upgradeRequest.replace('\r\n\r\n', '\r\nContent-Length: 2\r\n\r\n{}'), 426, needsUpgrade],
  ['a later version', withVersion('14'), 426, /\r\nsec-websocket-version: 13\r\n/i],
  ['a draft', withVersion('8'), 426, /\r\nsec-websocket-version: 13\r\n/i],
  ['no version', without('Sec-WebSocket-Version'), 426, /\r\nsec-websocket-version: 13\r\n/i],
  ['no key', without('Sec-WebSocket-Key'), 400, /"code":"websocket_key"/],
  ['half a key', upgradeRequest.replace('==', ''), 400, /"code":"websocket_key"/],
  ['another method', plain('POST', 'Content-Length: 0'), 404, /^HTTP\/1\.1 404/],
]

void t.test('each gets its answer at once', async (t) => {
  for (const [name, request, status, says] of cases) {
    using client = await BareClient.open(served)
    client.socket.write(request)
    t.equal(await client.status(), status, name)
    t.match(client.received, says, name)
  }
  await until('all are gone', async () => (await served.connections()) === 0)
  t.equal(served.proxy.sessions.size, 0)
  const { values } = await served.metrics.connectionsRefused.get()
  const refused = new Set(values.map(({ labels }) => labels.reason))
  t.strictSame(refused, new Set(['upgrade_required', 'websocket_version', 'websocket_key']))
})

void t.test('its connection is one as any other', async () => {
  using client = await BareClient.open(served)
  const count = (): number => client.received.split('HTTP/1.1 426 ').length - 1
  for (let request = 1; request <= 3; request++) {
    client.socket.write(plain('GET'))
    await until('it is answered', () => count() === request)
  }
  client.socket.write(upgradeRequest)
  await until('it may still become a WebSocket', () => client.received.includes('HTTP/1.1 101 '))

  using idle = await BareClient.open(served)
  idle.socket.write(plain('GET'))
  await idle.status()
  await until('one that says nothing more is closed', () => idle.closed, staleCloseDelayMs + 2 * sessionSweepMs + 3_000)
})

void t.test('it counts for its address', async (t) => {
  await using served = await Served.start({
    'client.address_connection_rate': '1',
    'client.address_connection_burst': '3',
  })
  const statuses: number[] = []
  for (let at = 0; at < 6; at++) {
    using client = await BareClient.open(served)
    client.socket.write(plain('GET'))
    statuses.push(await client.status())
  }
  t.strictSame(statuses.slice(0, 3), [426, 426, 426])
  t.ok(statuses.includes(429), statuses.join(' '))
})

void t.test('lists of subprotocols', async (t) => {
  const lists: [header: string | undefined, means: string | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    [' , ,\t', undefined],
    ['centrifuge-json', 'centrifuge-json'],
    [',centrifuge-json , ,x,', 'centrifuge-json, x'],
    ['x, x', 'x'],
  ]
  for (const [header, means] of lists) t.equal(subprotocolList(header), means, `${header}`)

  const answers: [header: string, chosen: string | null][] = [
    ['', null],
    [',', null],
    ['other', null],
    [', centrifuge-json,', 'centrifuge-json'],
    ['other, centrifuge-json', 'centrifuge-json'],
  ]
  const connect = clientFrame(JSON.stringify({ id: 1, connect: { token: await tokenFor('ada') } }))
  for (const [header, chosen] of answers) {
    using client = await BareClient.open(served)
    client.socket.write(upgradeRequest.replace('\r\n\r\n', `\r\nSec-WebSocket-Protocol: ${header}\r\n\r\n`))
    t.equal(await client.status(), 101, header)
    t.equal(/sec-websocket-protocol: (.*)\r\n/i.exec(client.received)?.[1] ?? null, chosen, header)
    client.socket.write(connect)
    await until('it is connected', () => client.received.includes('{"id":1,"connect":'))
  }
  using broken = await BareClient.open(served)
  broken.socket.write(upgradeRequest.replace('\r\n\r\n', '\r\nSec-WebSocket-Protocol: "a b"\r\n\r\n'))
  t.equal(await broken.status(), 400, 'what is no name at all')
})
