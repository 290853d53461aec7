/**
 * Proves what one client address may have: so many sessions, so many new connections a second, counted by /64 in IPv6,
 * and that nobody else notices when an address is over it. With and without the PROXY protocol.
 */
import t from 'tap'
import { loadConfig } from '../../../config/load.ts'
import { canonicalAddress, isIn, parseNetworks, subscriberOf } from '../../../platform/networks.ts'
import { AddressLimits, ratedAddressesMax } from '../../../proxy/sessions/address-limits.ts'
import { BareClient, upgradeRequest } from '../../harness/clients/bare-client.ts'
import { Served } from '../../harness/served.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/until.ts'
import { headerFor } from '../listener/proxy-headers.ts'

void t.test('one text for each address', async (t) => {
  const cases: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['2001:DB8:0:0:0::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['', ''],
  ]
  for (const [text, canonical] of cases) t.equal(canonicalAddress(text), canonical, text)
})

void t.test('who an address stands for', async (t) => {
  const cases: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1::2:3:4:5:6', '1:0:0:2::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ]
  for (const [address, subscriber] of cases) t.equal(subscriberOf(address), subscriber, address)
})

void t.test('networks', async (t) => {
  const list = parseNetworks(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::1'])
  const inside = ['10.255.0.1', '192.0.2.1', '2001:db8:ffff::1', '::1']
  const outside = ['11.0.0.1', '192.0.2.2', '2001:db9::1', '::2', '', 'localhost']
  for (const address of inside) t.equal(isIn(list, address), true, address)
  for (const address of outside) t.equal(isIn(list, address), false, address)
  for (const address of ['0.0.0.0', '255.255.255.255']) t.ok(isIn(parseNetworks(['0.0.0.0/0']), address))
  t.equal(isIn(parseNetworks([]), '127.0.0.1'), false, 'nobody')
  for (const text of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::/129', 'localhost', '10.0.0', '/8', '1.2.3.4/-1'])
    t.throws(
      () => parseNetworks(['::1', text]),
      { message: `${JSON.stringify(text)} is neither an IP address nor a network such as 10.0.0.0/8` },
      text,
    )
  t.throws(
    () => loadConfig({ env: { HOLDFAST_HTTP_SERVER_PROXY_PROTOCOL_TRUSTED: '10.0.0.0/8,lan' }, flags: {}, cwd: '.' }),
    { message: /^http_server.proxy_protocol_trusted: "lan" is neither an IP address nor a network/ },
  )
})

void t.test('sessions are counted', async (t) => {
  const limits = new AddressLimits(new ManualClock(), { connections: 2, rate: 0, burst: 1 })
  const open = (address: string) => {
    const refusal = limits.refuses(address)
    if (refusal === null) limits.opened(address)
    return refusal
  }
  t.strictSame([open('192.0.2.1'), open('192.0.2.1'), open('192.0.2.1')], [null, null, 'address_connections'])
  t.equal(open('192.0.2.2'), null, 'another address')
  t.strictSame(
    ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:3', '2001:db8:0:1::1'].map(open),
    [null, null, 'address_connections', null],
    'a /64 is one',
  )
  limits.closed('2001:db8::2')
  t.equal(open('2001:db8::4'), null)
  limits.closed('192.0.2.1')
  t.strictSame([open('192.0.2.1'), open('192.0.2.1')], [null, 'address_connections'])
  t.equal(limits.rated, 0, 'without a rate nothing is remembered')
})

void t.test('new connections per second, and what is remembered of them', async (t) => {
  const clock = new ManualClock()
  const limits = new AddressLimits(clock, { connections: 0, rate: 2, burst: 4 })
  const passed = (address: string, tries: number) =>
    Array.from({ length: tries }, () => limits.refuses(address)).filter((refusal) => refusal === null).length
  t.equal(passed('192.0.2.1', 10), 4, 'the burst')
  clock.advance(1_000)
  t.equal(passed('192.0.2.1', 10), 2, 'then two a second')
  t.equal(passed('192.0.2.2', 10), 4, 'another address')
  t.equal(limits.rated, 2)
  clock.advance(1_999)
  t.equal(passed('192.0.2.1', 1), 1)
  limits.sweep()
  t.equal(limits.rated, 2, 'neither is full again')
  clock.advance(1)
  limits.sweep()
  t.equal(limits.rated, 1, 'one was quiet for long enough')
  clock.advance(2_000)
  limits.sweep()
  t.equal(limits.rated, 0)

  for (let i = 0; i <= ratedAddressesMax; i++) limits.refuses(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  t.equal(limits.rated, ratedAddressesMax, 'never more')
})

/** The status that answers a WebSocket client of that address, and the connection. */
async function attempt(served: Served, address: string): Promise<{ status: number; client: BareClient }> {
  const client = await BareClient.open(served)
  client.socket.write(Buffer.concat([headerFor(address), Buffer.from(upgradeRequest)]))
  return { status: await client.status(), client }
}

const refusedFor = async ({ metrics }: Served, reason: string): Promise<number> =>
  (await metrics.connectionsRefused.get()).values.find(({ labels }) => labels.reason === reason)?.value ?? 0

void t.test('sessions of one address at a real listener', async (t) => {
  await using served = await Served.start({
    'http_server.proxy_protocol': 'true',
    'client.address_connection_limit': '10',
  })
  const attempts = await Promise.all(Array.from({ length: 60 }, () => attempt(served, '192.0.2.1')))
  t.equal(attempts.filter(({ status }) => status === 101).length, 10, 'exactly so many, though all came at once')
  t.equal(attempts.filter(({ status }) => status === 429).length, 50)
  const [refused] = attempts.filter(({ status }) => status === 429)
  t.match(refused!.client.received, /retry-after: 1\r\n/i)
  t.match(refused!.client.received, /"code":"address_connections"/)
  t.equal(await refusedFor(served, 'address_connections'), 50)
  const other = await attempt(served, '192.0.2.2')
  t.equal(other.status, 101, 'another address')
  t.equal(served.proxy.sessions.size, 11)
  t.notOk(
    attempts.some(({ status, client }) => status === 101 && client.closed),
    'nobody who is in is put out',
  )

  attempts.find(({ status }) => status === 101)!.client[Symbol.dispose]()
  await until('its session is gone', () => served.proxy.sessions.size === 10)
  const again = await attempt(served, '192.0.2.1')
  t.equal(again.status, 101, 'who leaves makes room')
  for (const { client } of [...attempts, other, again]) client[Symbol.dispose]()
})

void t.test('new connections of one address at a real listener', async (t) => {
  // So slow that none comes back while the test runs.
  await using served = await Served.start({
    'http_server.proxy_protocol': 'true',
    'client.address_connection_rate': '1',
    'client.address_connection_burst': '5',
    'client.address_connection_limit': '100',
  })
  const before = performance.now()
  const attempts = await Promise.all(Array.from({ length: 30 }, () => attempt(served, '192.0.2.1')))
  const refilled = Math.floor((performance.now() - before) / 1_000)
  const passed = attempts.filter(({ status }) => status === 101).length
  t.ok(passed >= 5 && passed <= 5 + refilled, `${passed} passed`)
  t.equal(await refusedFor(served, 'address_rate'), 30 - passed)
  const other = await attempt(served, '2001:db8::1')
  t.equal(other.status, 101)
  for (const { client } of [...attempts, other]) client[Symbol.dispose]()
})

void t.test("without the PROXY protocol the socket's own address counts", async (t) => {
  await using served = await Served.start({ 'client.address_connection_limit': '1' })
  t.equal(await served.statusOf(), 101)
  t.equal(await served.statusOf(), 429)
  t.equal(await served.statusOf({ localAddress: '127.0.0.2' }), 101, 'another address')
  t.equal(await served.statusOf({ localAddress: '127.0.0.2' }), 429)
})
