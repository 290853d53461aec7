/**
 * Proves that a slow connection gets everything, late: the `centrifuge` SDK behind a relay with a rate and small buffers
 * comes back to rooms in each of which it missed far more than the link takes while a command may wait for its reply.
 * The figures are those of a phone on 60 KB/s, ten times as fast; SLOW_LINK_HASTE=1 takes as long as in life.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Centrifuge } from 'centrifuge'
import t from 'tap'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { errors } from '../../../protocol/client/codes.ts'
import { buildListener } from '../../../proxy/listener/listener.ts'
import { websocketPath } from '../../../proxy/transports/websocket/route.ts'
import { Wire } from '../../harness/clients/wire.ts'
import { testEnv } from '../../harness/env.ts'
import { Served } from '../../harness/served.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'

/** How much faster than in life. */
const haste = Number(process.env['SLOW_LINK_HASTE'] ?? 10)
const linkHeldBytes = 16_384

interface Link extends AsyncDisposable {
  served: Served
  relay: TcpProxy
  url: string
}

/** A proxy behind a relay; between the two is a Unix socket, as the buffers of the loopback take megabytes. */
async function linkTo(flags: Record<string, string>): Promise<Link> {
  const served = await Served.start({
    'client.insecure': 'true',
    'client.command_rate': '100000',
    'client.command_burst': '100000',
    'proxy.in_flight_max': '100000',
    'client.read_rate': String(1_000_000 * haste),
    ...flags,
  })
  const folder = await mkdtemp(join(tmpdir(), 'hf-link-'))
  const path = join(folder, 'proxy.sock')
  const env = testEnv({ metrics: served.metrics })
  const listener = await buildListener(served.proxy, served.cluster.config, env)
  await listener.listen({ path })
  const relay = await TcpProxy.listen({ path })
  return {
    served,
    relay,
    url: `ws://127.0.0.1:${relay.port}${websocketPath}`,
    async [Symbol.asyncDispose]() {
      await relay.close()
      await listener.close()
      await served[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

/** Publishes `count` messages of `bytes` in each room, from a connection without a limit. */
async function publishAll({ served }: Link, rooms: string[], count: number, bytes: number): Promise<void> {
  const client = new Centrifuge(served.url, { websocket: WebSocket })
  client.connect()
  await client.ready()
  const data = 'x'.repeat(bytes)
  for (const room of rooms) {
    await Promise.all(Array.from({ length: count }, () => client.publish(room, data)))
  }
  client.disconnect()
}

class Phone {
  readonly client: Centrifuge
  readonly connecting: number[] = []
  readonly errors: unknown[] = []
  readonly offsets = new Map<string, number[]>()
  readonly outcomes: string[] = []

  constructor(url: string, rooms: string[]) {
    this.client = new Centrifuge(url, { websocket: WebSocket, timeout: 5_000 / haste, minReconnectDelay: 500 / haste })
    this.client.on('connecting', ({ code }) => this.connecting.push(code))
    this.client.on('error', (error) => this.errors.push(error))
    for (const room of rooms) {
      const offsets: number[] = []
      this.offsets.set(room, offsets)
      const subscription = this.client.newSubscription(room)
      subscription.on('publication', ({ offset }) => offsets.push(offset!))
      subscription.on('subscribing', ({ code }) => this.outcomes.push(`${room} subscribing ${code}`))
      subscription.on('subscribed', ({ wasRecovering, recovered }) => {
        this.outcomes.push(`${room} ${wasRecovering ? (recovered ? 'recovered' : 'lost') : 'fresh'}`)
      })
      subscription.on('error', (error) => this.errors.push(error))
      subscription.subscribe()
    }
    this.client.connect()
  }

  async subscribed(): Promise<void> {
    await Promise.all(Object.values(this.client.subscriptions()).map((each) => each.ready(10_000)))
  }
}

const upTo = (top: number): number[] => Array.from({ length: top }, (_, i) => i + 1)

async function comesBack(t: Test, roomCount: number, bytesPerSecond: number): Promise<void> {
  await using link = await linkTo({
    'client.pong_timeout': `${8_000 / haste}ms`,
    'client.ping_interval': `${25_000 / haste}ms`,
  })
  const rooms = Array.from({ length: roomCount }, (_, i) => `room${i}`)
  const phone = new Phone(link.url, rooms)
  await phone.subscribed()
  phone.client.disconnect()
  const each = { count: 26, bytes: 30_000 }
  await publishAll(link, rooms, each.count, each.bytes)
  link.relay.slow(0, bytesPerSecond * haste, linkHeldBytes)
  phone.outcomes.length = 0
  phone.connecting.length = 0
  const start = performance.now()
  phone.client.connect()
  const bytes = roomCount * each.count * each.bytes
  const has = () => [...phone.offsets.values()].every((offsets) => offsets.length >= each.count)
  await until('it has everything', has, (4_000 * bytes) / (bytesPerSecond * haste))
  const seconds = (performance.now() - start) / 1_000
  t.comment(`${bytes} bytes at ${bytesPerSecond * haste} B/s in ${seconds.toFixed(1)} s`)
  for (const room of rooms) t.strictSame(phone.offsets.get(room), upTo(each.count), room)
  t.strictSame(phone.connecting, [0], 'on one connection')
  t.strictSame(phone.errors, [])
  t.strictSame(
    phone.outcomes.filter((outcome) => !outcome.includes('subscribing')).toSorted(),
    rooms.map((room) => `${room} recovered`).toSorted(),
  )
  phone.client.disconnect()
}

void t.test('two rooms, 780 KB missed in each, at 60 KB/s', (t) => comesBack(t, 2, 60_000))
void t.test('twelve rooms at 250 KB/s', (t) => comesBack(t, 12, 250_000))

void t.test('one that asks and takes nothing is read little for, and keeps its connection', async (t) => {
  await using link = await linkTo({ 'client.queue_max_size': '1000000' })
  const { relay, served } = link
  await publishAll(link, ['room'], 16, 50_000)
  const wire = new Wire(link.url, [], {})
  await wire.opened
  await wire.command({ connect: {} })
  const answered = async (): Promise<number> => {
    const { values } = await served.metrics.commands.get()
    const isAnswer = (labels: Record<string, unknown>) => labels['method'] === 'history' && labels['result'] === 'ok'
    return values.find(({ labels }) => isAnswer(labels))?.value ?? 0
  }
  const refused = async (): Promise<number> =>
    (await served.metrics.rejected.get()).values.find(
      ({ labels }) => labels.code === String(errors.tooManyRequests.code),
    )?.value ?? 0
  relay.blackhole('answers')
  const asked: number[] = []
  for (let i = 0; i < 20; i++) {
    const before = (await answered()) + (await refused())
    asked.push(...wire.send({ history: { channel: 'room', limit: -1 } }))
    await until('it is dealt with', async () => (await answered()) + (await refused()) > before)
  }
  const count = await answered()
  t.ok(count <= 5, `${count} answers of 800 KB`)
  relay.restore()
  const replies = await Promise.all(asked.map((id) => wire.reply(id)))
  const codes = replies.map(({ error }) => error?.code ?? 0)
  t.strictSame(
    codes.toSorted((a, b) => a - b),
    asked.map((_, i) => (i < count ? 0 : errors.tooManyRequests.code)),
  )
  t.equal(await wire.errorOf({ history: { channel: 'room', limit: -1 } }), 0, 'and may ask again')
  t.equal(wire.closed, null)
  wire.terminate()
})
