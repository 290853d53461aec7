/**
 * Proves the way in: HAProxy with the configuration of compose.yaml and certificates of its script, in front of two
 * real proxies. The real SDK comes through TLS; each client's own address, from the PROXY protocol, reaches logs and
 * limits; a proxy that drains gets no new clients, and none of them notices.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import { Centrifuge } from 'centrifuge'
import t from 'tap'
import { WebSocket } from 'ws'
import { freePort } from '../../compose/services/free-port.ts'
import { bringPrograms } from '../../compose/services/programs.ts'
import { exitCodes } from '../../platform/exit-codes.ts'
import { startCluster } from '../harness/processes/cluster.ts'
import { tokenFor } from '../harness/tokens.ts'
import { ended, run } from '../support/command.ts'
import { Running, cleanEnvironment } from '../support/process.ts'
import { until } from '../support/until.ts'
import { composeDirectory, readComposeFile } from './compose-file.ts'

const configuration = join(composeDirectory, 'haproxy/haproxy.cfg')
const deadlineMs = 15_000
/** Sessions that one address may have at one proxy. */
const addressLimit = 3

const [program = ''] = await bringPrograms(['haproxy'], ['haproxy'], (line) => t.comment(line))
const directory = mkdtempSync(join(tmpdir(), 'holdfast-haproxy-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
const made = await run('sh', [join(composeDirectory, 'make-secrets.sh'), directory])
if (made.code !== 0) throw new Error(`make-secrets.sh: ${made.stderr}`)
const ca = readFileSync(join(directory, 'tls/ca.pem'))
const port = await freePort()
const healthPort = await freePort()

const cluster = await startCluster()
t.teardown(() => cluster.stop())

/** A proxy of the cluster as compose.yaml has it, with what HAProxy needs to know of it. */
class ProxyProcess {
  readonly running: Running
  readonly port: number
  readonly internalPort: number

  private constructor(running: Running, port: number, internalPort: number) {
    this.running = running
    this.port = port
    this.internalPort = internalPort
  }

  static async start(): Promise<ProxyProcess> {
    const [port, internalPort] = [await freePort(), await freePort()]
    const settings = {
      HOLDFAST_HTTP_SERVER_PORT: String(port),
      HOLDFAST_HTTP_SERVER_INTERNAL_PORT: String(internalPort),
      // HAProxy is on this machine, and so are the clients.
      HOLDFAST_HTTP_SERVER_PROXY_PROTOCOL_TRUSTED: '127.0.0.1',
      HOLDFAST_CLIENT_ADDRESS_CONNECTION_LIMIT: String(addressLimit),
      HOLDFAST_LOG_LEVEL: 'debug',
      HOLDFAST_SHUTDOWN_JITTER: '3s',
    }
    const file = join(composeDirectory, 'holdfast.yaml')
    const running = new Running(['proxy', '--config', file], { ...cluster.environment, ...settings })
    t.teardown(() => running.stop())
    await running.line('proxy is up', deadlineMs)
    return new ProxyProcess(running, port, internalPort)
  }

  /** Addresses of the clients that it let in, in their order. */
  get addresses(): string[] {
    const lines = this.running.stderr.split('\n').filter((line) => line.includes('"msg":"connected"'))
    return lines.map((line) => (JSON.parse(line) as { address: string }).address)
  }

  async metric(line: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.internalPort}/metrics`)).text()
    return Number(
      text
        .split('\n')
        .find((each) => each.startsWith(line))
        ?.slice(line.length) ?? 0,
    )
  }
}

const proxies = [await ProxyProcess.start(), await ProxyProcess.start()]
const [first, second] = proxies as [ProxyProcess, ProxyProcess]

const places = {
  MAXCONN: '200',
  LISTEN: `127.0.0.1:${port}`,
  HEALTH_LISTEN: `127.0.0.1:${healthPort}`,
  CERTIFICATE: join(directory, 'tls/site.pem'),
  PROXY_1: `127.0.0.1:${first.port}`,
  PROXY_1_INTERNAL_PORT: String(first.internalPort),
  PROXY_2: `127.0.0.1:${second.port}`,
  PROXY_2_INTERNAL_PORT: String(second.internalPort),
}

const haproxy = spawn(program, ['-db', '-f', configuration], {
  env: { ...cleanEnvironment(), ...places },
  stdio: ['ignore', 'pipe', 'pipe'],
})
// However this file ends.
process.on('exit', () => haproxy.kill('SIGKILL'))
let said = ''
for (const stream of [haproxy.stdout, haproxy.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()))

/** The health check of compose.yaml, as its container runs it. */
async function isHealthy(): Promise<boolean> {
  const [, command = '', ...args] = readComposeFile().services['haproxy']!.healthcheck!.test!
  const here = args.map((arg) => arg.replace('/127.0.0.1/8404', `/127.0.0.1/${healthPort}`))
  return (await run(command, here)).code === 0
}

await until(
  'HAProxy to answer',
  async () => {
    if (haproxy.exitCode !== null) throw new Error(said)
    return isHealthy()
  },
  deadlineMs,
)

const url = `wss://localhost:${port}/connection/websocket`

/** The real SDK, from one of the addresses of this machine. */
async function sdk(address: string, user: string): Promise<Centrifuge> {
  class From extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { ca, localAddress: address, family: 4 })
    }
  }
  const client = new Centrifuge(url, {
    websocket: From,
    token: await tokenFor(user, { expiresIn: 3_600 }),
    minReconnectDelay: 20,
    maxReconnectDelay: 200,
  })
  t.teardown(() => client.disconnect())
  return client
}

/** A WebSocket that has been let in, or the status that refused it. */
async function attempt(address: string): Promise<WebSocket | number> {
  const ws = new WebSocket(url, { ca, localAddress: address, family: 4 })
  ws.on('error', () => {})
  t.teardown(() => ws.terminate())
  return Promise.race([
    once(ws, 'open').then(() => ws),
    once(ws, 'unexpected-response').then(([, response]) => (response as { statusCode: number }).statusCode),
  ])
}

const connected = (address: string): number =>
  proxies.flatMap(({ addresses }) => addresses).filter((each) => each === address).length

void t.test('the configuration', async (t) => {
  const check = async (env: Record<string, string>) =>
    (await run(program, ['-c', '-f', configuration], { env: { ...cleanEnvironment(), ...env } })).code
  const { CERTIFICATE, MAXCONN } = places
  t.equal(await check({ CERTIFICATE, MAXCONN }), 0, 'as compose.yaml uses it')
  t.equal(await check(places), 0, 'as this test uses it')
  t.equal(await check({ ...places, LISTEN: 'nonsense' }), 1)
})

void t.test('TLS', async (t) => {
  const shake = async (options: ConnectionOptions): Promise<string> => {
    const socket = connect({ port, host: 'localhost', ca, ...options })
    try {
      await once(socket, 'secureConnect')
      return `${socket.getProtocol()} ${socket.alpnProtocol || 'no'}`
    } finally {
      socket.destroy()
    }
  }
  t.equal(await shake({ ALPNProtocols: ['h2', 'http/1.1'] }), 'TLSv1.3 http/1.1')
  t.equal(await shake({ maxVersion: 'TLSv1.2' }), 'TLSv1.2 no')
  await t.rejects(shake({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }), 'nothing older')
  await t.rejects(shake({ ca: [] }), 'only who trusts the authority')
})

void t.test('the SDK talks through it, and the log knows where from', async (t) => {
  const [ada, bob] = [await sdk('127.0.0.11', 'ada'), await sdk('127.0.0.12', 'bob')]
  const received: unknown[] = []
  const room = bob.newSubscription('room')
  room.on('publication', ({ data }) => received.push(data))
  room.subscribe()
  // One after the other: of two that come in the same moment, each of HAProxy's threads may choose before it has seen
  // what the other one chose.
  ada.connect()
  await ada.ready(deadlineMs)
  bob.connect()
  await room.ready(deadlineMs)
  const own = ada.newSubscription('room')
  own.subscribe()
  await own.ready(deadlineMs)
  for (let i = 1; i <= 3; i++) await own.publish(i)
  await until('all messages', () => received.length === 3, deadlineMs)
  t.strictSame(received, [1, 2, 3])
  t.equal(connected('127.0.0.11'), 1)
  t.equal(connected('127.0.0.12'), 1)
  t.ok(first.addresses.length > 0 && second.addresses.length > 0, 'each proxy has one: the fewest connections count')
  t.equal(connected('127.0.0.1'), 0, "nobody has HAProxy's")
  ada.disconnect()
  bob.disconnect()
  await until("HAProxy's own line about it", () => /^127\.0\.0\.11:\d+ .* 101 /m.test(said), deadlineMs)
})

void t.test('the limit of an address counts clients, not HAProxy', async (t) => {
  const all = proxies.length * addressLimit
  const attempts = []
  for (let i = 0; i < all; i++) attempts.push(await attempt('127.0.0.21'))
  t.notOk(
    attempts.some((each) => typeof each === 'number'),
    'so many at each proxy',
  )
  t.equal(await attempt('127.0.0.21'), 429)
  t.type(await attempt('127.0.0.22'), WebSocket, 'another address')
  const refused = await Promise.all(
    proxies.map((proxy) => proxy.metric('holdfast_connections_refused_total{reason="address_connections"} ')),
  )
  t.equal(refused[0]! + refused[1]!, 1)
  for (const each of attempts) if (typeof each !== 'number') each.terminate()
})

void t.test('nothing but the way in is there', async (t) => {
  for (const path of ['/', '/metrics', '/ready', '/page/token']) {
    const response = await new Promise<string>((resolve, reject) => {
      const socket = connect({ port, host: 'localhost', ca }, () =>
        socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
      )
      let text = ''
      socket.on('data', (data: Buffer) => (text += data.toString()))
      socket.on('error', reject)
      socket.on('close', () => resolve(text))
    })
    t.match(response, /^HTTP\/1\.1 404 /, path)
  }
})

void t.test('a proxy that drains gets no new clients, and its own go over without missing anything', async (t) => {
  const ada = await sdk('127.0.0.31', 'ada')
  const room = ada.newSubscription('drained')
  const received: unknown[] = []
  const events: string[] = []
  room.on('publication', ({ data }) => received.push(data))
  ada.on('connecting', ({ code }) => events.push(`connecting ${code}`))
  ada.on('error', ({ error }) => events.push(`error ${error.code}`))
  ada.on('connected', () => events.push('connected'))
  room.subscribe()
  ada.connect()
  await room.ready(deadlineMs)
  await until('the line of its proxy', () => connected('127.0.0.31') === 1, deadlineMs)
  const [draining, staying] = first.addresses.includes('127.0.0.31') ? [first, second] : [second, first]
  // Others keep it busy for the whole jitter.
  const held = await Promise.all(Array.from({ length: 6 }, (_, i) => attempt(`127.0.0.${40 + i}`)))
  t.notOk(held.some((each) => typeof each === 'number'))

  draining.running.signal('SIGTERM')
  await draining.running.line('"msg":"stopping"', deadlineMs)
  const opened = await Promise.all(
    proxies.map((proxy) => proxy.metric('holdfast_connections_opened_total{protocol="websocket"} ')),
  )
  // At once, before any health check can know, and on until it is gone.
  let count = 0
  while (draining.running.exit === null || count < 20) {
    const client = await attempt(`127.0.0.${50 + (count++ % 100)}`)
    if (typeof client === 'number') t.equal(client, 101, `client ${count} was let in`)
    else client.terminate()
    if (draining.running.exit === null && count === 10) {
      const now = await draining.metric('holdfast_connections_opened_total{protocol="websocket"} ')
      t.equal(now, opened[proxies.indexOf(draining)], 'none of them by the one that drains')
    }
  }
  t.ok(count >= 20, `${count} clients came in meanwhile`)
  t.strictSame(await draining.running.exited, { code: exitCodes.ok, signal: null })

  await until('the client at the other proxy', () => staying.addresses.includes('127.0.0.31'), deadlineMs)
  await room.publish('after')
  await until('its message', () => received.includes('after'), deadlineMs)
  t.strictSame(events, ['connecting 0', 'connected', 'connecting 3001', 'connected'])
  t.equal(await isHealthy(), true, 'one proxy is enough')
})

void t.test('without a proxy it is not healthy, and it stops in order', async (t) => {
  for (const { running } of proxies) await running.stop()
  await until('the health check to fail', async () => !(await isHealthy()), deadlineMs)
  t.equal(await attempt('127.0.0.61'), 503)
  haproxy.kill('SIGUSR1')
  t.strictSame(await ended(haproxy), { code: 0, signal: null })
})
