/**
 * Proves what a subscribe with a token comes to: what the token allows, and until when; or a refusal with the code that
 * tells clients what to do. A token is never ignored, also where it would not be needed.
 */
import t from 'tap'
import { disconnects, errors, unsubscribes } from '../../../protocol/client/codes.ts'
import { Served } from '../../harness/served.ts'
import { tokenFor } from '../../harness/tokens.ts'
import { until } from '../../support/until.ts'

const now = () => Date.now() / 1000

const served = await Served.start({
  'channel.namespaces': JSON.stringify([{ name: 'closed', allow_publish_for_subscriber: true }]),
  'client.token.leeway': '0s',
  'client.expired_sub_close_delay': '0s',
  'client.expired_close_delay': '0s',
})
t.teardown(() => served[Symbol.asyncDispose]())

/** A token for one channel. */
const grant = (user: string, channel: string, claims: object = {}) => tokenFor(user, { claims: { channel, ...claims } })

void t.test('it allows what nothing else does', async (t) => {
  const wire = await served.client('ada')
  for (const channel of ['$room', 'closed:room', '$closed:room', 'dialog#42,43']) {
    t.equal(await wire.errorOf({ subscribe: { channel } }), errors.permissionDenied.code, `${channel} without one`)
    t.equal(await wire.errorOf({ subscribe: { channel, token: await grant('ada', channel) } }), 0, channel)
    t.equal(await wire.errorOf({ publish: { channel, data: 1 } }), 0, 'and what subscribers may')
  }
  const token = await grant('ada', 'nowhere:room')
  t.equal(await wire.errorOf({ subscribe: { channel: 'nowhere:room', token } }), errors.unknownChannel.code)
  const own = JSON.parse(Buffer.from(JSON.stringify(wire.messages[0])).toString()) as { connect: { client: string } }
  const forOne = await grant('ada', '$one', { client: own.connect.client })
  t.equal(await wire.errorOf({ subscribe: { channel: '$one', token: forOne } }), 0)
})

void t.test('one that is not good is refused, also where none is needed', async (t) => {
  const wire = await served.client('ada')
  const cases: [name: string, token: string, code: number][] = [
    ['no token', 'x', errors.permissionDenied.code],
    [
      'of another secret',
      await tokenFor('ada', { claims: { channel: 'room' }, key: 'another secret of somebody' }),
      errors.permissionDenied.code,
    ],
    ['a connection token', await tokenFor('ada'), errors.permissionDenied.code],
    ['with info', await grant('ada', 'room', { info: { a: 1 } }), errors.permissionDenied.code],
    ['expired', await grant('ada', 'room', { exp: now() - 1 }), errors.tokenExpired.code],
    ['not valid yet', await grant('ada', 'room', { nbf: now() + 60 }), errors.tokenExpired.code],
  ]
  for (const [name, token, code] of cases) {
    t.equal(await wire.errorOf({ subscribe: { channel: 'room', token } }), code, name)
    t.equal(wire.closed, null)
  }
  t.equal(
    await wire.errorOf({ publish: { channel: 'room', data: 1 } }),
    errors.permissionDenied.code,
    'nothing was subscribed to',
  )
})

void t.test('one that is for somebody or something else ends the connection', async (t) => {
  const cases: [name: string, token: string][] = [
    ['another user', await grant('bob', 'room')],
    ['nobody', await grant('', 'room')],
    ['another channel', await grant('ada', 'other')],
    ['another client', await grant('ada', 'room', { client: 'another' })],
  ]
  for (const [name, token] of cases) {
    const wire = await served.client('ada')
    wire.send({ subscribe: { channel: 'room', token } })
    t.match(await wire.close(), disconnects.invalidToken, name)
  }
})

void t.test('a connection token is no subscription token, and the other way round', async (t) => {
  const wire = await served.open()
  wire.send({ connect: { token: await grant('ada', 'room') } })
  t.match(await wire.close(), disconnects.invalidToken)
})

void t.test('the subscription ends with its token, and can be made anew', async (t) => {
  const wire = await served.client('ada')
  const token = await grant('ada', '$brief', { exp: now() + 1 })
  t.equal(await wire.errorOf({ subscribe: { channel: '$brief', token } }), 0)
  const lasting = await grant('ada', '$lasting', { exp: now() + 1, expire_at: 0 })
  t.equal(await wire.errorOf({ subscribe: { channel: '$lasting', token: lasting } }), 0)
  const left = await grant('ada', '$left', { exp: now() + 1 })
  t.equal(await wire.errorOf({ subscribe: { channel: '$left', token: left } }), 0)
  await wire.command({ unsubscribe: { channel: '$left' } })
  const ended = () => wire.messages.flatMap(({ push }) => (push?.unsubscribe ? [push] : []))
  await until('the subscription ends', () => ended().length > 0)
  t.strictSame(ended(), [{ channel: '$brief', unsubscribe: unsubscribes.expired }])
  t.equal(await wire.errorOf({ publish: { channel: '$brief', data: 1 } }), errors.permissionDenied.code)
  t.equal(await wire.errorOf({ subscribe: { channel: '$brief', token } }), errors.tokenExpired.code)
  const next = await grant('ada', '$brief', { exp: now() + 60 })
  t.equal(await wire.errorOf({ subscribe: { channel: '$brief', token: next } }), 0)
  t.equal(ended().length, 1)
})

void t.test('tokens without a user, where they are not wanted', async (t) => {
  await using strict = await Served.start({ 'client.disallow_anonymous_connection_tokens': 'true' })
  const wire = await strict.open()
  wire.send({ connect: { token: await tokenFor('') } })
  t.match(await wire.close(), disconnects.permissionDenied)
  const named = await strict.client('ada')
  t.equal(named.closed, null)
  t.equal((await served.client('')).closed, null, 'by default they are')
})
