/**
 * Proves how a connection begins: who is let in, what comes back, that commands wait for the token's verdict, and that
 * whatever is not of the protocol ends with the code that tells clients whether to come back.
 */
import t from 'tap'
import { disconnects, errors } from '../../../protocol/client/codes.ts'
import type { Wire } from '../../harness/clients/wire.ts'
import { Served } from '../../harness/served.ts'
import { tokenFor } from '../../harness/tokens.ts'
import { until } from '../../support/until.ts'

const served = await Served.start()
t.teardown(() => served[Symbol.asyncDispose]())

void t.test('tokens', async (t) => {
  void t.test('a good one', async (t) => {
    const wire = await served.open()
    const { connect } = await wire.connect(await tokenFor('ada'))
    t.match(connect, { client: /^[-0-9a-f]{36}$/, version: '0', ping: 25, pong: true })
    t.notOk('expires' in connect! || 'ttl' in connect!, 'without an end')
  })

  void t.test('one that ends tells when', async (t) => {
    const wire = await served.open()
    const { connect } = await wire.connect(await tokenFor('ada', { expiresIn: 60 }))
    t.equal(connect?.expires, true)
    t.ok(connect?.ttl === 60 || connect?.ttl === 59, `${connect?.ttl} s`)
  })

  void t.test('an expired one is an error, and the connection of no more use', async (t) => {
    const wire = await served.open()
    t.match(await wire.connect(await tokenFor('ada', { expiresIn: -60 })), {
      error: errors.tokenExpired,
    })
    t.equal(wire.closed, null)
    wire.send({ connect: { token: await tokenFor('ada') } })
    t.match(await wire.close(), disconnects.badRequest)
  })

  void t.test('clocks may differ by ten seconds; what is not valid yet is an error, and no final close', async (t) => {
    const seconds = Date.now() / 1000
    for (const claims of [{ nbf: seconds + 2 }, { iat: seconds + 8 }, { exp: seconds - 5 }]) {
      const wire = await served.open()
      t.ok((await wire.connect(await tokenFor('ada', { claims }))).connect, JSON.stringify(claims))
    }
    for (const claims of [{ nbf: seconds + 60 }, { iat: seconds + 60 }, { exp: seconds - 60 }]) {
      const wire = await served.open()
      t.equal(
        (await wire.connect(await tokenFor('ada', { claims }))).error?.code,
        errors.tokenExpired.code,
        JSON.stringify(claims),
      )
      t.equal(wire.closed, null)
    }
  })

  void t.test('what is no token of ours closes for good', async (t) => {
    const good = await tokenFor('ada')
    const [head, body] = good.split('.') as [string, string]
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    const forged = [
      await tokenFor('ada', { key: 'another secret that nobody knows' }),
      await tokenFor('ada', { alg: 'HS512' }),
      `${head}.${Buffer.from('{"sub":"admin"}').toString('base64url')}.${good.split('.')[2]}`,
      `${none}.${body}.`,
      `${head}.${body}.`,
      'x',
      '..',
    ]
    for (const token of forged) {
      const wire = await served.open()
      wire.send({ connect: { token } })
      t.match(await wire.close(), disconnects.invalidToken, token.slice(0, 40))
      t.strictSame(wire.messages, [], 'and says nothing else')
    }
  })

  void t.test('no token is a bad request', async (t) => {
    for (const connect of [{}, { token: '' }, { token: null }]) {
      const wire = await served.open()
      wire.send({ connect })
      t.match(await wire.close(), disconnects.badRequest)
    }
  })
})

void t.test('what ends a connection as a bad request', async (t) => {
  const cases: [name: string, say: (wire: Wire) => void][] = [
    ['a second connect', (wire) => wire.raw('{"id":9,"connect":{"token":"x"}}')],
    ['an unknown method', (wire) => wire.raw('{"id":9,"dance":{}}')],
    ['no method', (wire) => wire.raw('{"id":9}')],
    ['a ping of the client', (wire) => wire.raw('{"id":9,"ping":{}}')],
    ['a command without an id', (wire) => wire.raw('{"publish":{"channel":"c","data":1}}')],
    ['a pong that nobody asked for', (wire) => wire.raw('{}')],
    ['broken JSON', (wire) => wire.raw('{"id":9,')],
    ['a binary frame', (wire) => wire.raw(Buffer.from('{"id":9,"rpc":{}}'))],
    [
      'JSON that is nested too deeply',
      (wire) => wire.raw(`{"id":9,"rpc":{"data":${'['.repeat(63)}${']'.repeat(63)}}}`),
    ],
    ['a member of the wrong type', (wire) => wire.raw('{"id":9,"subscribe":{"channel":7}}')],
    ['no channel', (wire) => wire.raw('{"id":9,"subscribe":{}}')],
    ['nothing to publish in', (wire) => wire.raw('{"id":9,"publish":{"data":1}}')],
    ['a refresh without a token', (wire) => wire.raw('{"id":9,"refresh":{}}')],
  ]
  for (const [name, say] of cases) {
    const wire = await served.client()
    const bystander = await served.client('bystander')
    say(wire)
    t.match(await wire.close(), disconnects.badRequest, name)
    t.strictSame(wire.messages.slice(1), [{ push: { disconnect: disconnects.badRequest } }], name)
    t.equal(bystander.closed, null)
    bystander.terminate()
  }
})

void t.test('nesting up to the limit is fine', async (t) => {
  const wire = await served.client()
  wire.raw(`{"id":9,"rpc":{"data":${'['.repeat(62)}${']'.repeat(62)}}}`)
  t.equal((await wire.reply(9)).error?.code, errors.notAvailable.code)
})

void t.test('any command before connect is a bad request', async (t) => {
  for (const command of ['{}', '{"id":1,"subscribe":{"channel":"c"}}', '{"send":{"data":1}}', '{"id":1,"rpc":{}}']) {
    const wire = await served.open()
    wire.raw(command)
    t.match(await wire.close(), disconnects.badRequest, command)
    t.strictSame(wire.messages, [])
  }
})

void t.test('messages that nobody handles are not available', async (t) => {
  const wire = await served.client()
  wire.raw('{"send":{"data":1}}')
  t.match(await wire.close(), disconnects.notAvailable)
})

void t.test('a message above 64 KB is 1009', async (t) => {
  const fill = (bytes: number) => {
    const [head, tail] = ['{"id":9,"rpc":{"data":"', '"}}']
    return head + 'x'.repeat(bytes - head.length - tail.length) + tail
  }
  const wire = await served.client()
  wire.raw(fill(65_536))
  t.equal((await wire.reply(9)).error?.code, errors.notAvailable.code, 'that many are fine')
  wire.raw(fill(65_537))
  t.equal((await wire.close()).code, 1009)

  const sessions = served.proxy.sessions.size
  const large = await served.client()
  large.raw(fill(20_000_000))
  t.equal((await large.close()).code, 1009, 'also when much of it is still on its way')
  await until('the session is gone', () => served.proxy.sessions.size <= sessions)
})

void t.test('several commands in one frame, answered in their order', async (t) => {
  const wire = await served.open()
  const token = await tokenFor('ada')
  const ids = wire.send(
    { connect: { token } },
    ...['one', 'two', 'three'].map((name) => ({ subscribe: { channel: `batch-${name}` } })),
    { publish: { channel: 'batch-two', data: 1 } },
    { publish: { channel: 'batch-two', data: 2 } },
    { rpc: { method: 'nothing' } },
  )
  // More of them while the token is still being checked.
  const [more] = wire.send({ publish: { channel: 'batch-two', data: 3 } })
  for (const id of [...ids, more!]) await wire.reply(id)
  const replies = wire.messages.filter(({ id }) => id !== undefined)
  t.equal(replies[0]?.id, ids[0], 'connect first')
  t.strictSame(
    replies.filter(({ publish }) => publish).map(({ id }) => id),
    [ids[4], ids[5], more],
  )
  t.strictSame(
    replies.filter(({ error }) => error).map(({ error }) => error?.code),
    [errors.notAvailable.code],
  )
  await until('all is delivered', () => wire.publications('batch-two').length === 3)
  t.strictSame(
    wire.publications('batch-two').map(({ offset, data }) => [offset, data]),
    [
      [1, 1],
      [2, 2],
      [3, 3],
    ],
  )
  const subscribed = wire.messages.findIndex(({ id }) => id === ids[2])
  const delivered = wire.messages.findIndex(({ push }) => push?.channel === 'batch-two')
  t.ok(subscribed < delivered, 'the reply of subscribe comes before what is published')
})

void t.test('what comes together leaves in one frame, one message a line', async (t) => {
  const wire = await served.client()
  const before = wire.frames.length
  const ids = wire.send(...[1, 2, 3].map(() => ({ rpc: { method: 'nothing' } })))
  for (const id of ids) await wire.reply(id)
  t.equal(wire.frames.length, before + 1)
  t.notOk(wire.frames.at(-1)?.endsWith('\n'))
  wire.raw('\n{"id":90,"rpc":{}}\n\n{"id":91,"rpc":{}}\n')
  t.equal((await wire.reply(91)).error?.code, errors.notAvailable.code, 'empty lines are nothing')
})

void t.test('queued commands of a refused connection come to nothing', async (t) => {
  const wire = await served.open()
  wire.send({ connect: { token: 'x' } }, { subscribe: { channel: 'c' } })
  t.match(await wire.close(), disconnects.invalidToken)
  t.strictSame(wire.messages, [])
})

void t.test('subprotocols', async (t) => {
  const json = await served.open({ protocols: ['centrifuge-json'] })
  t.equal(json.protocol, 'centrifuge-json')
  t.ok((await json.connect(await tokenFor('ada'))).connect)
  const both = await served.open({ protocols: ['centrifuge-protobuf', 'centrifuge-json'] })
  t.equal(both.protocol, 'centrifuge-json')
  for (const query of ['?cf_protocol_version=v2', '?format=json']) {
    const wire = await served.open({ query })
    t.ok((await wire.connect(await tokenFor('ada'))).connect, query)
  }
  const binary = [
    { protocols: ['centrifuge-protobuf'] },
    { query: '?format=protobuf' },
    { query: '?cf_protocol=protobuf' },
  ]
  for (const options of binary) {
    const wire = await served.open(options)
    t.match(await wire.close(), disconnects.inappropriateProtocol)
  }
})

void t.test('origins', async (t) => {
  void t.test('by default only the one that the proxy itself serves', async (t) => {
    t.equal(await served.statusOf(), 101, 'no browser')
    t.equal(await served.statusOf({ origin: `http://127.0.0.1:${served.port}` }), 101)
    for (const origin of [
      'http://127.0.0.1:1',
      'http://evil.example',
      `http://localhost:${served.port}`,
      'null',
      '%',
    ]) {
      t.equal(await served.statusOf({ origin }), 403, origin)
    }
  })
  void t.test('those that are listed, and no others', async (t) => {
    await using served = await Served.start({
      'client.allowed_origins': '["https://*.chat.example","http://a.example"]',
    })
    for (const origin of ['https://x.chat.example', 'https://x.y.chat.example', 'HTTP://A.example']) {
      t.equal(await served.statusOf({ origin }), 101, origin)
    }
    const others = [
      `http://127.0.0.1:${served.port}`,
      'https://chat.example',
      'http://x.chat.example',
      'https://x.chat.example.evil.example',
      'https://xchat-example',
      'http://axexample',
    ]
    for (const origin of others) t.equal(await served.statusOf({ origin }), 403, origin)
  })
})

void t.test('insecure: nobody needs a token, but a false one is still refused', async (t) => {
  await using served = await Served.start({ 'client.insecure': 'true' })
  const wire = await served.open()
  t.ok((await wire.command({ connect: {} })).connect)
  t.match(await wire.command({ subscribe: { channel: '$private' } }), { subscribe: {} }, 'everything is allowed')
  await wire.command({ publish: { channel: '$private', data: 1 } })
  await until('it is delivered', () => wire.publications('$private').length === 1)
  t.equal(wire.publications('$private')[0]?.info?.user, '', 'and nobody has a name')

  const expired = await served.open()
  const { connect } = await expired.connect(await tokenFor('ada', { expiresIn: -60 }))
  t.ok(connect && !connect.expires, 'expiry is not looked at')
  const forged = await served.open()
  forged.send({ connect: { token: await tokenFor('ada', { key: 'another secret that nobody knows' }) } })
  t.match(await forged.close(), disconnects.invalidToken)
})

void t.test('without a secret no token is good', async (t) => {
  await using served = await Served.start({ 'client.token.hmac_secret_key': '' })
  const wire = await served.open()
  wire.send({ connect: { token: await tokenFor('ada', { key: 'x' }) } })
  t.match(await wire.close(), disconnects.invalidToken)
})
