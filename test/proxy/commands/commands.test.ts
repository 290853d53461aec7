/**
 * Proves what clients may do in channels and what comes of it: limits and permissions with their codes, subscriptions,
 * publications byte for byte, history, recovery, calls.
 */
import t from 'tap'
import { errors } from '../../../protocol/client/codes.ts'
import { Served } from '../../harness/served.ts'
import { tokenFor } from '../../harness/tokens.ts'
import { until } from '../../support/until.ts'

/** Options of a namespace: everything is off unless it is named. */
const namespaces = [
  { name: 'deny' },
  { name: 'read', allow_subscribe_for_client: true },
  { name: 'free', allow_subscribe_for_client: true, allow_publish_for_client: true, allow_history_for_client: true },
  {
    name: 'open',
    allow_subscribe_for_client: true,
    allow_subscribe_for_anonymous: true,
    allow_publish_for_client: true,
    allow_publish_for_anonymous: true,
  },
  {
    name: 'short',
    allow_subscribe_for_client: true,
    allow_publish_for_subscriber: true,
    allow_history_for_subscriber: true,
    history_size: 3,
    history_ttl: '1h',
    force_recovery: true,
  },
  {
    name: 'brief',
    allow_subscribe_for_client: true,
    allow_publish_for_subscriber: true,
    allow_history_for_subscriber: true,
    history_size: 100,
    history_ttl: '200ms',
  },
]

const served = await Served.start({
  'channel.namespaces': JSON.stringify(namespaces),
  'client.command_burst': '10000',
  'client.recovery_max_publication_limit': '20',
})
t.teardown(() => served[Symbol.asyncDispose]())

void t.test('limits', async (t) => {
  void t.test('128 channels a client', async (t) => {
    const wire = await served.client()
    const ids = wire.send(...Array.from({ length: 129 }, (_, i) => ({ subscribe: { channel: `many-${i}` } })))
    const replies = await Promise.all(ids.map((id) => wire.reply(id)))
    t.strictSame(
      replies.map(({ error }) => error?.code ?? 0),
      [...Array<number>(128).fill(0), errors.limitExceeded.code],
    )
    await wire.command({ unsubscribe: { channel: 'many-0' } })
    t.equal(await wire.errorOf({ subscribe: { channel: 'another' } }), 0, 'one left, one may come')
  })

  void t.test('who comes back with hundreds of subscriptions is no flood', async (t) => {
    await using served = await Served.start({ 'client.channel_limit': '1000', 'client.command_burst': '20' })
    const token = await tokenFor('ada')
    const subscribes = Array.from({ length: 600 }, (_, at) => ({ subscribe: { channel: `room-${at}` } }))
    const together = await served.open()
    const after = await served.client()
    const ids = together.send({ connect: { token } }, ...subscribes)
    const others = subscribes.map((subscribe) => after.send(subscribe)[0]!)
    await Promise.all([...ids.map((id) => together.reply(id)), ...others.map((id) => after.reply(id))])
    for (const wire of [together, after])
      t.strictSame(
        wire.messages.filter(({ error }) => error !== undefined),
        [],
        'in one frame with connect, or behind it',
      )
    t.equal(await together.errorOf({ rpc: {} }), errors.notAvailable.code, 'and has its burst left')
  })

  void t.test('one subscription a channel, also while it is under way', async (t) => {
    const wire = await served.client()
    const [first, second] = wire.send({ subscribe: { channel: 'twice' } }, { subscribe: { channel: 'twice' } })
    t.ok((await wire.reply(first!)).subscribe)
    t.match(await wire.reply(second!), { error: errors.alreadySubscribed })
    t.equal(await wire.errorOf({ subscribe: { channel: 'twice' } }), errors.alreadySubscribed.code)
  })

  void t.test('names of 255 characters', async (t) => {
    const wire = await served.client()
    t.equal(await wire.errorOf({ subscribe: { channel: 'x'.repeat(255) } }), 0)
    for (const [method, more] of Object.entries({ subscribe: {}, publish: { data: 1 }, history: {} })) {
      t.equal(await wire.errorOf({ [method]: { channel: 'x'.repeat(256), ...more } }), errors.badRequest.code, method)
    }
  })
})

/** Its first characters, by number. */
const shown = (text: string) => text.slice(0, 3).replaceAll(/[^a-z]/g, (found) => `<${found.charCodeAt(0)}>`)

void t.test('names that no channel has', async (t) => {
  const wire = await served.client()
  const controls = ['\0', '\n', '\u001f', '\u007f', '\u0080', '\u009f'].map((character) => `a${character}b`)
  for (const channel of [...controls, 'half a pair \ud83d', 'x'.repeat(256)]) {
    const codes = [
      await wire.errorOf({ subscribe: { channel } }),
      await wire.errorOf({ publish: { channel, data: 1 } }),
      await wire.errorOf({ history: { channel } }),
      await wire.errorOf({ rpc: { method: 'chat.send', data: { channel, data: 1 } } }),
      await wire.errorOf({ rpc: { method: 'chat.messages', data: { channel } } }),
      await wire.errorOf({ unsubscribe: { channel } }),
    ]
    t.strictSame(codes, Array<number>(6).fill(errors.badRequest.code), shown(channel))
  }
  for (const channel of ['', ' ', '\u00a0', '😀', '"\\', '\u2028', '\u200b'].map((text) => `a${text}b`))
    t.equal(await wire.errorOf({ subscribe: { channel } }), 0, shown(channel))
})

void t.test('permissions', async (t) => {
  const wire = await served.client()
  const anonymous = await served.client('')
  const denied = errors.permissionDenied.code
  const off = errors.notAvailable.code
  const unknown = errors.unknownChannel.code
  const may = async (client: typeof wire, channel: string) => [
    await client.errorOf({ publish: { channel, data: 1 } }),
    await client.errorOf({ rpc: { method: 'chat.send', data: { channel, data: 1 } } }),
    await client.errorOf({ history: { channel } }),
    await client.errorOf({ rpc: { method: 'chat.messages', data: { channel } } }),
    await client.errorOf({ subscribe: { channel } }),
    await client.errorOf({ publish: { channel, data: 1 } }),
    await client.errorOf({ history: { channel } }),
  ]
  t.strictSame(await may(wire, 'room'), [denied, denied, denied, denied, 0, 0, 0], 'dev: everything to subscribers')
  t.strictSame(await may(anonymous, 'room'), [denied, denied, denied, denied, denied, denied, denied])
  t.strictSame(
    await may(wire, 'deny:room'),
    [denied, denied, denied, denied, denied, denied, denied],
    'by default nothing',
  )
  t.strictSame(await may(wire, 'read:room'), [denied, denied, denied, denied, 0, denied, denied])
  t.strictSame(await may(wire, 'free:room'), [0, 0, off, 0, 0, 0, off], 'history is off, what is stored is not')
  t.strictSame(await may(anonymous, 'free:room'), [denied, denied, denied, denied, denied, denied, denied])
  t.strictSame(await may(anonymous, 'open:room'), [0, 0, denied, denied, 0, 0, denied])
  t.strictSame(await may(wire, 'nowhere:room'), [unknown, unknown, unknown, unknown, unknown, unknown, unknown])
  t.equal(
    await wire.errorOf({ subscribe: { channel: '$room' } }),
    errors.permissionDenied.code,
    'private, and without a token',
  )
  t.equal(await wire.errorOf({ publish: { channel: '$room', data: 1 } }), errors.permissionDenied.code)
  // The prefix stands before the namespace, and an empty namespace is none (Centrifugo, internal/config/container.go).
  t.strictSame(await may(wire, '$free:room'), [0, 0, off, 0, denied, 0, off], 'of a namespace')
  t.strictSame(await may(wire, '$nowhere:room'), [unknown, unknown, unknown, unknown, unknown, unknown, unknown])
  for (const channel of [':room', '$:room'])
    t.strictSame(await may(anonymous, channel), [denied, denied, denied, denied, denied, denied, denied], channel)
  t.strictSame(await may(wire, ':room'), [denied, denied, denied, denied, 0, 0, 0])
})

void t.test('the defaults without dev deny everything', async (t) => {
  const { loadConfig } = await import('../../../config/load.ts')
  const { config } = loadConfig({ env: {}, cwd: import.meta.dirname, flags: {} })
  // It allows nothing but what a channel's own name says.
  const { allow_user_limited_channels: isLimited, ...options } = config.channel.without_namespace
  t.equal(isLimited, true)
  t.notOk(Object.values(options).some((value) => value !== false && value !== 0 && value !== ''))
})

void t.test('a permission that a subscription gives ends with it', async (t) => {
  const wire = await served.client()
  const [, during, , after] = wire.send(
    { subscribe: { channel: 'mine' } },
    { publish: { channel: 'mine', data: 1 } },
    { unsubscribe: { channel: 'mine' } },
    { publish: { channel: 'mine', data: 2 } },
  )
  t.ok((await wire.reply(during!)).publish, 'one that is pending counts')
  t.equal((await wire.reply(after!)).error?.code, errors.permissionDenied.code)
})

void t.test('unsubscribe', async (t) => {
  const [wire, other] = [await served.client(), await served.client('bob')]
  for (const client of [wire, other]) await client.command({ subscribe: { channel: 'left' } })
  for (let i = 0; i < 2; i++) {
    t.strictSame((await wire.command({ unsubscribe: { channel: 'left' } })).unsubscribe, {}, 'may be said twice')
  }
  t.strictSame((await wire.command({ unsubscribe: { channel: 'never' } })).unsubscribe, {})
  await other.command({ publish: { channel: 'left', data: 1 } })
  await until('it is delivered', () => other.publications('left').length === 1)
  await wire.command({ subscribe: { channel: 'left' } })
  await other.command({ publish: { channel: 'left', data: 2 } })
  await until('it is delivered', () => wire.publications('left').length === 1)
  t.equal(wire.publications('left')[0]?.data, 2, 'nothing from between')
})

void t.test('a subscribe that is taken back is answered too, and the next one counts', async (t) => {
  const wire = await served.client()
  const [first, , second] = wire.send(
    { subscribe: { channel: 'hasty' } },
    { unsubscribe: { channel: 'hasty' } },
    { subscribe: { channel: 'hasty' } },
  )
  t.equal((await wire.reply(first!)).error?.code, errors.internal.code)
  t.ok((await wire.reply(second!)).subscribe)
  await wire.command({ publish: { channel: 'hasty', data: 1 } })
  await until('it is delivered', () => wire.publications('hasty').length === 1)
})

void t.test('what is off', async (t) => {
  const wire = await served.client()
  t.equal(await wire.errorOf({ presence: { channel: 'room' } }), errors.notAvailable.code)
  t.equal(await wire.errorOf({ presence_stats: { channel: 'room' } }), errors.notAvailable.code)
  t.equal(await wire.errorOf({ sub_refresh: { channel: 'room', token: 'x' } }), errors.notAvailable.code)
  await wire.command({ subscribe: { channel: 'free:quiet' } })
  t.equal(await wire.errorOf({ history: { channel: 'free:quiet' } }), errors.notAvailable.code)
})

void t.test('a publication has data', async (t) => {
  const wire = await served.client()
  await wire.command({ subscribe: { channel: 'data' } })
  t.equal(await wire.errorOf({ publish: { channel: 'data' } }), errors.badRequest.code)
  t.equal(await wire.errorOf({ rpc: { method: 'chat.send', data: { channel: 'data' } } }), errors.badRequest.code)
  t.equal(await wire.errorOf({ publish: { channel: 'data', data: null } }), 0, 'which may be null')
  await until('that one arrives', () => wire.publications('data').length > 0)
  t.match(wire.publications('data'), [{ offset: 1, data: null }])
})

void t.test('calls', async (t) => {
  const wire = await served.client()
  for (const method of ['', 'nothing', 'constructor', '__proto__', 'subscribe', 'publish', 'chat.SEND']) {
    t.equal(await wire.errorOf({ rpc: { method, data: { channel: 'calls' } } }), errors.notAvailable.code, method)
  }
  for (const data of [undefined, null, 7, 'x', [], {}, { channel: 7 }, { channel: '' }, { channel: null }]) {
    t.equal(await wire.errorOf({ rpc: { method: 'chat.send', data } }), errors.badRequest.code, JSON.stringify(data))
  }
  await wire.command({ subscribe: { channel: 'calls' } })
  const send = (data: object) => wire.command({ rpc: { method: 'chat.send', data: { channel: 'calls', ...data } } })
  t.equal((await send({})).error?.code, errors.badRequest.code, 'nothing to send')
  for (const key of ['', 7, 'x'.repeat(129)])
    t.equal((await send({ data: 1, key })).error?.code, errors.badRequest.code, 'no key')
  const first = (await send({ data: { text: 'a' }, key: 'k' })).rpc?.data
  t.match(first, { id: /^[0-9a-f]+$/, offset: 1, epoch: /./ })
  t.strictSame((await send({ data: { text: 'a' }, key: 'k' })).rpc?.data, first, 'the same again is the same message')
  t.equal(
    (await send({ data: { text: 'b' }, key: 'k' })).error?.code,
    errors.badRequest.code,
    'another under its key is not',
  )
  t.equal((await send({ data: { text: 'b' } })).rpc?.data['offset'], 2)
  const page = await wire.command({ rpc: { method: 'chat.messages', data: { channel: 'calls' } } })
  t.match(page.rpc?.data, { top: 2, messages: [{ offset: 1, user: 'ada', data: { text: 'a' } }, { offset: 2 }] })
  for (const paging of [{ limit: 0 }, { limit: 101 }, { limit: '5' }, { after: -1 }, { before: 'x' }]) {
    const data = { channel: 'calls', ...paging }
    t.equal(
      await wire.errorOf({ rpc: { method: 'chat.messages', data } }),
      errors.badRequest.code,
      JSON.stringify(paging),
    )
  }
})

void t.test('payloads arrive byte for byte', async (t) => {
  const texts = [
    '{"big":12345678901234567890,"one":1.0,"e":1E-7,"minus":-0}',
    '{"b":1,"a":2,"b":3,"10":0,"9":0}',
    '{ "spaced" :\t[ 1 , 2 ] }',
    String.raw`"\u0041\/\ud83d\ude00 😀 \ud800"`,
    '"\u2028\u0085"',
    'null',
    '0.1000',
    `"${'é'.repeat(30_000)}"`,
  ]
  const [wire, other] = [await served.client(), await served.client('bob')]
  const token = await tokenFor('carol', { claims: { info: { name: 'Carol' } } })
  for (const client of [wire, other]) await client.command({ subscribe: { channel: 'bytes' } })
  for (const [i, text] of texts.entries()) {
    wire.raw(`{"id":${100 + i},"publish":{"channel":"bytes","data": ${text} }}`)
    await wire.reply(100 + i)
    wire.raw(`{"id":${200 + i},"rpc":{"method":"chat.send","data":{"data" : ${text}\t,"channel":"bytes"}}}`)
    await wire.reply(200 + i)
  }
  const sent = texts.length * 2
  for (const client of [wire, other]) {
    await until('all is delivered', () => client.publications('bytes').length === sent)
    const lines = client.frames.flatMap((frame) => frame.split('\n')).filter((line) => line.includes('"pub"'))
    for (const [i, text] of texts.entries()) {
      t.ok(lines[2 * i]?.includes(`"data":${text},"info"`), `payload ${i}`)
      t.ok(lines[2 * i + 1]?.includes(`"data":${text},"info"`), `payload ${i}, by chat.send`)
    }
  }
  other.raw('{"id":300,"history":{"channel":"bytes","limit":-1}}')
  await other.reply(300)
  const history = other.frames.find((frame) => frame.includes('"id":300'))
  t.ok(
    texts.every((text) => history?.includes(`"data":${text},"info"`)),
    'in history too',
  )

  const third = await served.open()
  await third.connect(token)
  await third.command({ subscribe: { channel: 'bytes' } })
  await third.command({ publish: { channel: 'bytes', data: 1 } })
  await until('it is delivered', () => third.publications('bytes').length === 1)
  t.match(third.publications('bytes')[0]?.info, { user: 'carol', client: /-/, conn_info: { name: 'Carol' } })
})

void t.test('names that have no UTF-8 are refused: two of them would be one in a store', async (t) => {
  const wire = await served.client()
  for (const channel of ['\ud800', 'a\udc00b', '\ude00\ud83d']) {
    for (const [method, more] of Object.entries({ subscribe: {}, publish: { data: 1 }, history: {} })) {
      t.equal(await wire.errorOf({ [method]: { channel, ...more } }), errors.badRequest.code, method)
    }
    for (const method of ['chat.send', 'chat.messages']) {
      t.equal(await wire.errorOf({ rpc: { method, data: { channel, data: 1 } } }), errors.badRequest.code, method)
    }
  }
})

void t.test('channel names are any text', async (t) => {
  const wire = await served.client()
  for (const channel of ['é😀', 'a b', '"quoted\\"', '__proto__', 'constructor', ' ']) {
    t.equal(await wire.errorOf({ subscribe: { channel } }), 0, JSON.stringify(channel))
    await wire.command({ publish: { channel, data: channel } })
    await until('it is delivered', () => wire.publications(channel).length === 1)
    t.equal(wire.publications(channel)[0]?.data, channel)
  }
})

void t.test('history', async (t) => {
  const wire = await served.client()
  const subscribed = await wire.command({ subscribe: { channel: 'past' } })
  const epoch = subscribed.subscribe?.epoch
  for (let i = 1; i <= 25; i++) await wire.command({ publish: { channel: 'past', data: i } })
  const history = async (query: object) => (await wire.command({ history: { channel: 'past', ...query } })).history
  const offsets = async (query: object) => (await history(query))?.publications.map(({ offset }) => offset)
  const run = (from: number, to: number) =>
    Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => from + (to < from ? -i : i))

  t.strictSame(await history({}), { publications: [], epoch, offset: 25 }, 'without a limit only the position')
  t.strictSame(await history({ limit: 0 }), { publications: [], epoch, offset: 25 })
  t.strictSame(await offsets({ limit: 3 }), [1, 2, 3])
  t.strictSame(await offsets({ limit: -1 }), run(1, 20), 'all of it is up to the cap')
  t.strictSame(await offsets({ limit: 100 }), run(1, 20))
  t.strictSame(await offsets({ limit: 3, reverse: true }), [25, 24, 23])
  t.strictSame(await offsets({ limit: -1, reverse: true }), run(25, 6))
  t.strictSame(await offsets({ limit: 3, since: { offset: 10, epoch } }), [11, 12, 13])
  t.strictSame(await offsets({ limit: 3, since: { offset: 10 } }), [11, 12, 13], 'an absent epoch is any')
  t.strictSame(await offsets({ limit: 3, since: { offset: 10, epoch }, reverse: true }), [9, 8, 7])
  t.strictSame(await offsets({ limit: -1, since: { offset: 25, epoch } }), [])
  t.strictSame(await offsets({ limit: -1, since: { offset: 99, epoch } }), [])
  t.strictSame(await offsets({ limit: -1, since: { offset: 99, epoch }, reverse: true }), run(25, 6))
  t.strictSame(await offsets({ limit: -1, since: { offset: 1, epoch }, reverse: true }), [])
  const stale = await wire.command({ history: { channel: 'past', limit: 1, since: { offset: 1, epoch: 'other' } } })
  t.equal(stale.error?.code, errors.unrecoverablePosition.code, 'of another stream there is nothing to tell')
  t.match((await history({ limit: 1 }))?.publications[0], { offset: 1, data: 1, info: { user: 'ada' }, time: /^\d+$/ })

  await wire.command({ subscribe: { channel: 'empty' } })
  t.match((await wire.command({ history: { channel: 'empty', limit: 5 } })).history, { publications: [], offset: 0 })
})

void t.test('history reaches back as far as its size and its time', async (t) => {
  const wire = await served.client()
  await wire.command({ subscribe: { channel: 'short:room' } })
  for (let i = 1; i <= 5; i++) await wire.command({ publish: { channel: 'short:room', data: i } })
  const { history } = await wire.command({ history: { channel: 'short:room', limit: -1 } })
  t.strictSame(
    history?.publications.map(({ offset }) => offset),
    [3, 4, 5],
  )
  await wire.command({ subscribe: { channel: 'brief:room' } })
  await wire.command({ publish: { channel: 'brief:room', data: 1 } })
  const count = async () => {
    const reply = await wire.command({ history: { channel: 'brief:room', limit: -1 } })
    return reply.history?.publications.length
  }
  t.equal(await count(), 1)
  await until('it is too old', async () => (await count()) === 0)
  const kept = await wire.command({ rpc: { method: 'chat.messages', data: { channel: 'brief:room' } } })
  t.match(kept.rpc?.data, { messages: [{ offset: 1, data: 1 }] }, 'everything is stored for good')
})

void t.test('subscribe tells where the channel is', async (t) => {
  const [wire, other] = [await served.client(), await served.client('bob')]
  const fresh = (await wire.command({ subscribe: { channel: 'place' } })).subscribe
  t.match(fresh, { recoverable: true, positioned: true, epoch: /./, offset: 0 })
  t.notOk('publications' in fresh! || 'recovered' in fresh! || 'was_recovering' in fresh!)
  for (let i = 1; i <= 3; i++) await wire.command({ publish: { channel: 'place', data: i } })
  t.match((await other.command({ subscribe: { channel: 'place' } })).subscribe, { epoch: fresh?.epoch, offset: 3 })
  t.strictSame((await wire.command({ subscribe: { channel: 'read:place' } })).subscribe, {}, 'unless it has none')
})

void t.test('recovery', async (t) => {
  const channel = 'short:back'
  const wire = await served.client()
  const epoch = (await wire.command({ subscribe: { channel } })).subscribe?.epoch
  for (let i = 1; i <= 5; i++) await wire.command({ publish: { channel, data: i } })
  const recover = async (from: object) => {
    const client = await served.client('bob')
    const reply = await client.command({ subscribe: { channel, recover: true, ...from } })
    client.terminate()
    return reply.error ?? { ...reply.subscribe, publications: reply.subscribe?.publications?.map(({ data }) => data) }
  }
  const yes = { recoverable: true, positioned: true, was_recovering: true, recovered: true, epoch }
  const no = { recoverable: true, positioned: true, was_recovering: true, epoch, offset: 5, publications: undefined }
  t.strictSame(await recover({ epoch, offset: 5 }), { ...yes, offset: 5, publications: undefined }, 'nothing missed')
  t.strictSame(await recover({ epoch, offset: 3 }), { ...yes, offset: 3, publications: [4, 5] })
  t.strictSame(await recover({ epoch, offset: 2 }), { ...yes, offset: 2, publications: [3, 4, 5] }, 'as far as it goes')
  t.strictSame(await recover({ offset: 4 }), { ...yes, offset: 4, publications: [5] }, 'an absent epoch is any')
  t.strictSame(await recover({ epoch, offset: 1 }), no, 'never a part of it')
  t.strictSame(await recover({ epoch }), no, 'an absent offset is 0')
  t.strictSame(await recover({ epoch, offset: 6 }), no, 'from what never was')
  t.strictSame(await recover({ epoch: '_' }), no)
  t.strictSame(await recover({ epoch: 'other', offset: 5 }), no)
  t.match(
    await recover({ epoch, offset: 1, flag: 2 }),
    errors.unrecoverablePosition,
    'or an error, where the client wants one',
  )
  t.match(await recover({ epoch, offset: 4, flag: 3 }), { recovered: true })
})
