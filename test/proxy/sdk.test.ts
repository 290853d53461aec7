/**
 * Proves the protocol before its judge: the `centrifuge` SDK from npm, unchanged, against a proxy with a real
 * listener. Every event of the SDK is noted, and what a test does not expect fails it.
 */
import { Centrifuge } from 'centrifuge'
import type { Options, Subscription } from 'centrifuge'
import t from 'tap'
import { WebSocket } from 'ws'
import { disconnects, errors, unsubscribes } from '../../protocol/client/codes.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { encodeNotice } from '../../protocol/records/notice.ts'
import { inboxTopic } from '../../protocol/records/topics.ts'
import { slotId } from '../../protocol/slot.ts'
import { buildListener } from '../../proxy/listener/listener.ts'
import { Client } from '../harness/clients/client.ts'
import { Served } from '../harness/served.ts'
import { tokenFor } from '../harness/tokens.ts'
import { until } from '../support/until.ts'

type Noted = [event: string, detail?: unknown]

/** An SDK client whose events are noted and whose network can be cut. */
class Sdk implements Disposable {
  readonly client: Centrifuge
  readonly events: Noted[] = []
  readonly #sockets: WebSocket[] = []

  constructor(url: string, options: Partial<Options>) {
    const sockets = this.#sockets
    class Noting extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        sockets.push(this)
      }
    }
    this.client = new Centrifuge(url, {
      websocket: Noting,
      minReconnectDelay: 10,
      maxReconnectDelay: 50,
      ...options,
    })
    this.client.on('connecting', ({ code }) => this.events.push(['connecting', code]))
    this.client.on('connected', () => this.events.push(['connected']))
    this.client.on('disconnected', ({ code }) => this.events.push(['disconnected', code]))
    this.client.on('error', ({ error }) => this.events.push(['error', error.code]))
  }

  /** Connections that it has opened so far. */
  get connections(): number {
    return this.#sockets.length
  }

  async connect(): Promise<void> {
    this.client.connect()
    await this.client.ready(5_000)
  }

  /** Cuts the connection as a network does. */
  cut(): void {
    this.#sockets.at(-1)?.terminate()
  }

  room(channel: string): Room {
    return new Room(this.client.newSubscription(channel))
  }

  async until(event: string, count = 1): Promise<void> {
    const seen = () => this.events.filter(([name]) => name === event).length
    await until(`${event} of ${JSON.stringify(this.events)}`, () => seen() >= count)
  }

  [Symbol.dispose](): void {
    this.client.disconnect()
  }
}

/** A subscription whose events are noted. */
class Room {
  readonly subscription: Subscription
  readonly events: Noted[] = []
  /** Publications in their order. */
  readonly received: { offset: number | undefined; data: unknown; user: string | undefined }[] = []

  constructor(subscription: Subscription) {
    this.subscription = subscription
    subscription.on('subscribing', ({ code }) => this.events.push(['subscribing', code]))
    subscription.on('subscribed', ({ wasRecovering, recovered }) => {
      this.events.push(['subscribed', wasRecovering ? (recovered ? 'recovered' : 'lost') : 'fresh'])
    })
    subscription.on('unsubscribed', ({ code }) => this.events.push(['unsubscribed', code]))
    subscription.on('error', ({ error }) => this.events.push(['error', error.code]))
    subscription.on('publication', ({ offset, data, info }) => {
      this.received.push({ offset, data, user: info?.user })
    })
  }

  async subscribe(): Promise<this> {
    this.subscription.subscribe()
    await this.subscription.ready(5_000)
    return this
  }

  get offsets(): (number | undefined)[] {
    return this.received.map(({ offset }) => offset)
  }
}

const served = await Served.start({
  'channel.without_namespace.history_size': '5',
  'client.ping_interval': '1s',
  'client.pong_timeout': '800ms',
})
t.teardown(() => served[Symbol.asyncDispose]())

const sdk = async (user: string, options: Partial<Options> = {}) =>
  new Sdk(served.url, { token: await tokenFor(user), ...options })

void t.test('a conversation', async (t) => {
  using ada = await sdk('ada')
  using bob = await sdk('bob')
  // Connect and all subscribes leave in one frame.
  const [adas, bobs, quiet] = [ada.room('talk'), bob.room('talk'), ada.room('quiet')]
  for (const { subscription } of [adas, bobs, quiet]) subscription.subscribe()
  await Promise.all([ada.connect(), bob.connect()])
  await Promise.all([adas, bobs, quiet].map(({ subscription }) => subscription.ready(5_000)))

  for (let i = 1; i <= 3; i++) await adas.subscription.publish({ n: i })
  await bobs.subscription.publish('four')
  const expected = [
    { offset: 1, data: { n: 1 }, user: 'ada' },
    { offset: 2, data: { n: 2 }, user: 'ada' },
    { offset: 3, data: { n: 3 }, user: 'ada' },
    { offset: 4, data: 'four', user: 'bob' },
  ]
  for (const room of [adas, bobs]) {
    await until('all is delivered', () => room.received.length === 4)
    t.strictSame(room.received, expected)
    t.strictSame(room.events, [
      ['subscribing', 0],
      ['subscribed', 'fresh'],
    ])
  }
  t.strictSame(quiet.received, [])

  const history = await bobs.subscription.history({ limit: 10 })
  t.equal(history.offset, 4)
  t.strictSame(
    history.publications.map(({ offset, data, info }) => ({ offset, data, user: info?.user })),
    expected,
  )
  const since = { offset: 4, epoch: history.epoch }
  const back = await bobs.subscription.history({ limit: 2, since, reverse: true })
  t.strictSame(
    back.publications.map(({ offset }) => offset),
    [3, 2],
  )

  const send = () => ada.client.rpc('chat.send', { channel: 'talk', data: { text: 'five' }, key: 'k' })
  const sent = (await send()).data as { id: string; offset: number; epoch: string }
  t.match(sent, { id: /./, offset: 5, epoch: history.epoch })
  t.strictSame((await send()).data, sent)
  await until('it is delivered', () => bobs.received.length === 5)
  const page = await bob.client.rpc('chat.messages', { channel: 'talk', before: 5, limit: 2 })
  t.match(page.data, {
    top: 5,
    messages: [
      { offset: 3, user: 'ada' },
      { offset: 4, user: 'bob', data: 'four' },
    ],
  })

  quiet.subscription.unsubscribe()
  t.strictSame(quiet.events.at(-1), ['unsubscribed', 0])
  await t.rejects(ada.client.publish('quiet', 1), { code: errors.permissionDenied.code } as object as Error)
  await t.rejects(ada.client.rpc('nothing', {}), { code: errors.notAvailable.code } as object as Error)
  await quiet.subscribe()
  await quiet.subscription.publish(1)
  await until('it is delivered', () => quiet.received.length === 1)
  for (const { events } of [ada, bob]) t.strictSame(events, [['connecting', 0], ['connected']])
})

void t.test('a denied channel ends its subscription and nothing else', async (t) => {
  using ada = await sdk('ada')
  await ada.connect()
  const room = ada.room('$private')
  room.subscription.subscribe()
  await until('it is refused', () => room.events.length === 2)
  t.strictSame(room.events, [
    ['subscribing', 0],
    ['unsubscribed', errors.permissionDenied.code],
  ])
  t.equal(ada.client.state, 'connected')
})

void t.test('a subscription that is taken back and wanted again at once', async (t) => {
  using ada = await sdk('ada')
  await ada.connect()
  const room = ada.room('hasty')
  for (let i = 0; i < 3; i++) {
    room.subscription.subscribe()
    room.subscription.unsubscribe()
  }
  await room.subscribe()
  await room.subscription.publish(1)
  await until('it is delivered', () => room.received.length === 1)
  t.strictSame(room.offsets, [1])
  t.equal(room.subscription.state, 'subscribed')
  t.strictSame(ada.events, [['connecting', 0], ['connected']])
})

void t.test('after a cut it recovers what it missed, in order, once', async (t) => {
  using ada = await sdk('ada')
  using bob = await sdk('bob')
  await Promise.all([ada.connect(), bob.connect()])
  const [adas, bobs] = [await ada.room('cut').subscribe(), await bob.room('cut').subscribe()]
  await adas.subscription.publish(1)
  await until('it is delivered', () => bobs.received.length === 1)
  for (let round = 0; round < 3; round++) {
    bob.cut()
    await bob.until('connecting', round + 2)
    const missed = Array.from({ length: 4 }, (_, i) => adas.subscription.publish(2 + round * 4 + i))
    await Promise.all(missed)
    await bob.until('connected', round + 2)
    await until('it is subscribed', () => bobs.events.length === 2 * (round + 2))
    await until('all is delivered', () => bobs.received.length === 1 + 4 * (round + 1))
  }
  const offsets = Array.from({ length: 13 }, (_, i) => i + 1)
  t.strictSame(bobs.offsets, offsets)
  t.strictSame(
    bobs.received.map(({ data }) => data),
    offsets,
  )
  t.strictSame(bobs.events.slice(2), [
    ['subscribing', 1],
    ['subscribed', 'recovered'],
    ['subscribing', 1],
    ['subscribed', 'recovered'],
    ['subscribing', 1],
    ['subscribed', 'recovered'],
  ])
  t.equal(bob.connections, 4)
})

void t.test('where it missed more than is kept it is told so, and goes on from there', async (t) => {
  using ada = await sdk('ada')
  using bob = await sdk('bob', { minReconnectDelay: 500, maxReconnectDelay: 500 })
  await Promise.all([ada.connect(), bob.connect()])
  const [adas, bobs] = [await ada.room('far').subscribe(), await bob.room('far').subscribe()]
  await adas.subscription.publish(1)
  await until('it is delivered', () => bobs.received.length === 1)
  bob.client.disconnect()
  for (let i = 2; i <= 7; i++) await adas.subscription.publish(i)
  await bob.connect()
  await until('it is subscribed', () => bobs.events.length === 4)
  t.strictSame(bobs.events.at(-1), ['subscribed', 'lost'])
  await adas.subscription.publish(8)
  await until('it is delivered', () => bobs.received.length === 2)
  t.strictSame(bobs.offsets, [1, 8], 'never a part of it')
})

void t.test('told that its position is insufficient, it subscribes again and recovers', async (t) => {
  using ada = await sdk('ada')
  await ada.connect()
  const room = await ada.room('resync').subscribe()
  await room.subscription.publish(1)
  const { cluster, proxy } = served
  const { slots, inbox_partitions: inboxes } = cluster.config.topics
  const slot = slotId('default', partitionOf('resync', slots))
  const value = encodeNotice({ type: 'resync', slot, to: [proxy.id] })
  cluster.logData.append(inboxTopic, partitionOf(proxy.id, inboxes), [{ key: null, value }])
  await until('it is subscribed again', () => room.events.length === 4)
  t.strictSame(room.events.slice(2), [
    ['subscribing', unsubscribes.insufficient.code],
    ['subscribed', 'recovered'],
  ])
  await room.subscription.publish(2)
  await until('it is delivered', () => room.received.length === 2)
  t.strictSame(room.offsets, [1, 2])
  t.equal(ada.connections, 1, 'on the same connection')
})

void t.test('it answers pings, and stays', async (t) => {
  using ada = await sdk('ada')
  await ada.connect()
  const silent = await served.client('silent')
  t.match(await silent.close(), disconnects.noPong, 'who does not answer goes')
  t.strictSame(ada.events, [['connecting', 0], ['connected']])
  t.equal(ada.client.state, 'connected')
})

void t.test('a token that ends is refreshed', async (t) => {
  let asked = 0
  const getToken = async () => {
    asked++
    return tokenFor('ada', { expiresIn: 2 })
  }
  using ada = await sdk('ada', { token: '', getToken })
  await ada.connect()
  const room = await ada.room('tokens').subscribe()
  await until('it has refreshed twice', () => asked >= 3)
  await room.subscription.publish(1)
  await until('it is delivered', () => room.received.length === 1)
  t.strictSame(ada.events, [['connecting', 0], ['connected']], 'without a new connection')
})

void t.test('a token that is over is replaced', async (t) => {
  using ada = await sdk('ada', {
    token: await tokenFor('ada', { expiresIn: -60 }),
    getToken: () => tokenFor('ada'),
  })
  await ada.connect()
  t.strictSame(ada.events, [['connecting', 0], ['error', errors.tokenExpired.code], ['connected']])
  t.equal(ada.connections, 2)
})

void t.test('one that gets a token too late comes back with the next one', async (t) => {
  let asked = 0
  const getToken = () => tokenFor('ada', asked++ === 0 ? { expiresIn: -60 } : {})
  using ada = await sdk('ada', { token: await tokenFor('ada', { expiresIn: 2 }), getToken })
  await ada.connect()
  const room = await ada.room('again').subscribe()
  await ada.until('connected', 2)
  await until('it is subscribed again', () => room.events.length === 4)
  t.strictSame(ada.events, [
    ['connecting', 0],
    ['connected'],
    ['connecting', disconnects.expired.code],
    ['error', errors.tokenExpired.code],
    ['connected'],
  ])
  t.strictSame(room.events.at(-1), ['subscribed', 'recovered'])
})

void t.test('what is final stops it', async (t) => {
  const forged = await tokenFor('ada', { key: 'another secret that nobody knows' })
  const cases: [options: Partial<Options>, code: number, act?: (sdk: Sdk) => void][] = [
    [{ token: forged }, disconnects.invalidToken.code],
    [{ token: '' }, disconnects.badRequest.code],
    [{}, disconnects.notAvailable.code, ({ client }) => void client.send('nobody hears it').catch(() => {})],
    [{}, 3, ({ client }) => void client.publish('c', 'x'.repeat(70_000)).catch(() => {})],
  ]
  for (const [options, code, act] of cases) {
    using ada = await sdk('ada', options)
    ada.client.connect()
    if (act) {
      await ada.client.ready(5_000)
      act(ada)
    }
    await ada.until('disconnected')
    t.strictSame(ada.events.at(-1), ['disconnected', code])
    t.equal(ada.client.state, 'disconnected')
    t.equal(ada.connections, 1)
  }
})

void t.test('when the proxy stops, it comes back by itself and has missed nothing', async (t) => {
  await using served = await Served.start()
  const handles = served.cluster.handles()
  const next = await served.cluster.proxy({ handles })
  using ada = new Sdk(served.url, { token: await tokenFor('ada') })
  await ada.connect()
  const room = await ada.room('moved').subscribe()
  await room.subscription.publish(1)
  await until('it is delivered', () => room.received.length === 1)

  const other = new Client(next)
  await other.command({ connect: { token: await tokenFor('bob') } })
  await other.subscribe('moved')

  await Promise.all([served.proxy.drain(), ada.until('connecting', 2)])
  // It may have tried again already, and have been refused.
  const codes = ada.events.filter(([name]) => name === 'connecting').map(([, code]) => code)
  t.strictSame(codes, [0, disconnects.shutdown.code])
  await served.listener.close()
  await other.publish('moved', 2)
  const listener = await buildListener(next, served.cluster.config, handles.env)
  await listener.listen({ host: '127.0.0.1', port: served.port })
  t.teardown(() => listener.close())
  await ada.until('connected', 2)
  await until('it is subscribed', () => room.events.length === 4)
  await room.subscription.publish(3)
  await until('it is delivered', () => room.received.length === 3)
  t.strictSame(room.offsets, [1, 2, 3])
  t.strictSame(room.events.at(-1), ['subscribed', 'recovered'])
})

void t.test('a subscription whose token ends is made anew with another one', async (t) => {
  await using brief = await Served.start({ 'client.expired_sub_close_delay': '0s', 'client.token.leeway': '0s' })
  const client = new Centrifuge(brief.url, { websocket: WebSocket, token: await tokenFor('ada') })
  using leaving = new DisposableStack()
  leaving.defer(() => client.disconnect())
  let asked = 0
  const getToken = async ({ channel }: { channel: string }) => {
    asked++
    return tokenFor('ada', { claims: { channel, ...(asked === 1 && { exp: Date.now() / 1000 + 1 }) } })
  }
  const events: Noted[] = []
  const room = client.newSubscription('$room', { getToken, minResubscribeDelay: 10, maxResubscribeDelay: 50 })
  room.on('subscribing', ({ code }) => events.push(['subscribing', code]))
  room.on('subscribed', () => events.push(['subscribed']))
  room.on('unsubscribed', ({ code }) => events.push(['unsubscribed', code]))
  room.subscribe()
  client.connect()
  await until('it is subscribed again', () => events.length === 4)
  t.strictSame(events, [['subscribing', 0], ['subscribed'], ['subscribing', unsubscribes.expired.code], ['subscribed']])
  t.equal(asked, 2)
})
