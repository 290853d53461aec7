/**
 * Proves what a channel's name says about who may use it: its namespace, the prefix that needs a token, the users that it
 * is limited to, the pattern that it must fit to; and that nobody without a user id has what subscribers have, unless
 * that is allowed too.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { defaultConfig } from '../../../config/keys.ts'
import { errors } from '../../../protocol/client/codes.ts'
import { Namespaces } from '../../../proxy/access/namespaces.ts'
import type { Permission } from '../../../proxy/access/namespaces.ts'
import { newSession } from '../../../proxy/sessions/session.ts'
import type { Session } from '../../../proxy/sessions/session.ts'

const defaults = defaultConfig()
type Channel = typeof defaults.channel
type Options = Partial<Channel['without_namespace']>

const open: Options = {
  allow_subscribe_for_client: true,
  allow_publish_for_client: true,
  allow_history_for_client: true,
}

interface Case {
  options?: Options
  names?: Partial<Channel>
  namespaces?: (Options & { name: string })[]
  insecure?: boolean
}

function namespacesOf({ options = open, names = {}, namespaces = [], insecure = false }: Case = {}): Namespaces {
  const without = { ...defaults.channel.without_namespace, ...options }
  const byName = namespaces.map((namespace) => ({ ...defaults.channel.without_namespace, ...namespace }))
  const channel = { ...defaults.channel, ...names, without_namespace: without, namespaces: byName }
  return new Namespaces({ channel, client: { ...defaults.client, insecure } })
}

/** A session of a user, with subscriptions. */
function sessionOf(user: string, ...channels: string[]): Session {
  const session = newSession({ id: 's' } as unknown as Parameters<typeof newSession>[0])
  session.user = user
  session.channels = new Set(channels)
  session.wanted = new Set()
  return session
}

const denied = errors.permissionDenied.code
const bad = errors.badRequest.code
const all: Permission[] = ['subscribe', 'publish', 'history']
/** Codes that answer subscribe, publish and history; 0 for none. */
const codes = (namespaces: Namespaces, session: Session, channel: string): number[] =>
  all.map((permission) => namespaces.refusal(session, channel, permission)?.code ?? 0)

void t.test('a name limits its channel to the users that stand behind the boundary', async (t) => {
  const namespaces = namespacesOf()
  const cases: [user: string, channel: string, code: number][] = [
    ['42', '#42', 0],
    ['666', '#42', denied],
    ['42', 'dialog#42,43', 0],
    ['43', 'dialog#42,43', 0],
    ['4', 'dialog#42,43', denied],
    ['42,43', 'dialog#42,43', denied],
    ['', 'dialog#42,43', denied],
    ['', 'dialog#', denied],
    ['', 'dialog#42,', denied],
    ['42', 'dialog#42,', 0],
    ['42', 'dialog# 42', denied],
    ['43', 'a#42#43', 0],
    ['42', 'a#42#43', denied],
    ['42', 'a#42#', denied],
    ['42', 'room', 0],
  ]
  for (const [user, channel, code] of cases) {
    t.strictSame(codes(namespaces, sessionOf(user), channel), [code, code, code], `${user} in ${channel}`)
  }
})

void t.test('whoever is named may subscribe where nobody else may, and no more than that', async (t) => {
  const namespaces = namespacesOf({ options: {} })
  t.strictSame(codes(namespaces, sessionOf('42'), '#42'), [0, denied, denied])
  t.strictSame(codes(namespaces, sessionOf('666'), '#42'), [denied, denied, denied])
  t.strictSame(codes(namespaces, sessionOf('42'), 'room'), [denied, denied, denied])
  const talking = namespacesOf({ options: { allow_publish_for_subscriber: true, allow_history_for_subscriber: true } })
  t.strictSame(codes(talking, sessionOf('42', '#42'), '#42'), [0, 0, 0])
  t.strictSame(codes(talking, sessionOf('42'), '#42'), [0, denied, denied])
  t.strictSame(codes(talking, sessionOf('7', '#42'), '#42'), [denied, 0, 0], 'who is in by a token takes part')
})

void t.test('boundary and separator are what the configuration says, and off where it says so', async (t) => {
  const own = namespacesOf({ names: { user_boundary: '@@', user_separator: ';' } })
  t.strictSame(codes(own, sessionOf('43'), 'dialog@@42;43'), [0, 0, 0])
  t.strictSame(codes(own, sessionOf('7'), 'dialog@@42;43'), [denied, denied, denied])
  t.strictSame(codes(own, sessionOf('7'), 'dialog#42'), [0, 0, 0])
  const single = namespacesOf({ names: { user_separator: '' } })
  t.strictSame(codes(single, sessionOf('42,43'), '#42,43'), [0, 0, 0])
  t.strictSame(codes(single, sessionOf('42'), '#42,43'), [denied, denied, denied])
  for (const off of [{ names: { user_boundary: '' } }, { options: { ...open, allow_user_limited_channels: false } }]) {
    t.strictSame(codes(namespacesOf(off), sessionOf('666'), '#42'), [0, 0, 0])
  }
  t.strictSame(codes(namespacesOf({ insecure: true }), sessionOf(''), '#42'), [0, 0, 0])
})

void t.test('of any name only those are let in whom its last part names', async () => {
  const namespaces = namespacesOf()
  const part = fc.string({ unit: fc.constantFrom('4', '2', ',', 'a'), maxLength: 5 })
  fc.assert(
    fc.property(fc.array(part, { minLength: 2, maxLength: 4 }), part, (parts, user) => {
      const isNamed = user !== '' && parts.at(-1)!.split(',').includes(user)
      const found = namespaces.refusal(sessionOf(user), parts.join('#'), 'subscribe')
      assert.equal(found?.code ?? 0, isNamed ? 0 : denied)
    }),
    { numRuns: 1_000 },
  )
})

void t.test('what begins with the private prefix needs a token', async (t) => {
  const namespaces = namespacesOf({ namespaces: [{ name: 'staff', ...open }] })
  for (const channel of ['$room', '$staff:room']) {
    t.strictSame(codes(namespaces, sessionOf('ada'), channel), [denied, 0, 0], channel)
  }
  t.equal(namespaces.refusal(sessionOf('ada'), '$other:room', 'subscribe')?.code, errors.unknownChannel.code)
  t.equal(namespaces.refusal(sessionOf(''), '$room', 'subscribe')?.code, errors.permissionDenied.code)
  t.equal(namespacesOf({ insecure: true }).refusal(sessionOf(''), '$room', 'subscribe'), null)
  const own = namespacesOf({ names: { private_prefix: '!!' } })
  t.equal(own.refusal(sessionOf('ada'), '!!room', 'subscribe')?.code, errors.permissionDenied.code)
  t.equal(own.refusal(sessionOf('ada'), '$room', 'subscribe'), null)
  t.equal(namespacesOf({ names: { private_prefix: '' } }).refusal(sessionOf('ada'), '$room', 'subscribe'), null)
})

void t.test('the namespace of a name', async (t) => {
  const namespaces = namespacesOf({ namespaces: [{ name: 'staff', history_size: 7 }] })
  const sizeOf = (channel: string) => namespaces.optionsOf(channel)?.history_size
  t.equal(sizeOf('staff:room'), 7)
  t.equal(sizeOf('staff:a:b'), 7)
  t.equal(sizeOf('$staff:room'), 7)
  t.equal(sizeOf(':a'), 0, 'one without a name is none')
  t.equal(sizeOf('room'), 0)
  t.equal(sizeOf('other:room'), undefined)
  const own = namespacesOf({ names: { namespace_boundary: '/' }, namespaces: [{ name: 'staff', history_size: 7 }] })
  t.equal(own.optionsOf('staff/room')?.history_size, 7)
  t.equal(own.optionsOf('staff:room')?.history_size, 0)
  const none = namespacesOf({ names: { namespace_boundary: '' }, namespaces: [{ name: 'staff', history_size: 7 }] })
  t.equal(none.optionsOf('staff:room')?.history_size, 0)
})

void t.test('a name fits to the pattern of its namespace, or it is a bad request', async (t) => {
  const namespaces = namespacesOf({
    options: { ...open, channel_regex: '^[a-z$]+$' },
    namespaces: [
      { name: 'rooms', ...open, channel_regex: '^room-[0-9]{1,3}$' },
      { name: 'part', ...open, channel_regex: 'x' },
      { name: 'slow', ...open, channel_regex: '^(a+)+$' },
    ],
  })
  const ada = sessionOf('ada')
  const cases: [channel: string, code: number][] = [
    ['rooms:room-1', 0],
    ['rooms:room-1000', bad],
    ['rooms:ROOM-1', bad],
    ['rooms:', bad],
    ['lobby', 0],
    ['lobby1', bad],
    ['part:axb', 0],
    ['part:ab', bad],
    [`slow:${'a'.repeat(200)}!`, bad],
  ]
  for (const [channel, code] of cases) t.strictSame(codes(namespaces, ada, channel), [code, code, code], channel)
  t.strictSame(codes(namespaces, ada, '$room'), [denied, 0, 0], 'without a namespace the whole name counts')
  const insecure = namespacesOf({ options: { channel_regex: '^a$' }, insecure: true })
  t.strictSame(codes(insecure, ada, 'b'), [bad, bad, bad])
})

void t.test('only streams can be subscribed to', async (t) => {
  for (const [kind, isClosed] of [
    ['', false],
    ['stream', false],
    ['map', true],
    ['shared_poll', true],
  ] as const) {
    const namespaces = namespacesOf({ options: { ...open, subscription_type: kind } })
    t.strictSame(codes(namespaces, sessionOf('ada'), 'room'), [isClosed ? denied : 0, 0, 0], kind)
    t.equal(
      namespaces.refusal(sessionOf('ada'), 'room', 'subscribe', true)?.code ?? 0,
      isClosed ? denied : 0,
      'nor by a token',
    )
  }
})

void t.test('nobody without a user id has what subscribers have, unless that is allowed too', async (t) => {
  const anonymous = sessionOf('', 'room')
  const subscriber = { allow_publish_for_subscriber: true, allow_history_for_subscriber: true }
  t.strictSame(codes(namespacesOf({ options: subscriber }), anonymous, 'room'), [denied, denied, denied])
  t.strictSame(codes(namespacesOf({ options: subscriber }), sessionOf('ada', 'room'), 'room'), [denied, 0, 0])
  const publishing = { ...subscriber, allow_publish_for_anonymous: true }
  t.strictSame(codes(namespacesOf({ options: publishing }), anonymous, 'room'), [denied, 0, denied])
  const reading = { ...subscriber, allow_history_for_anonymous: true }
  t.strictSame(codes(namespacesOf({ options: reading }), anonymous, 'room'), [denied, denied, 0])
  t.strictSame(
    codes(namespacesOf({ options: reading }), sessionOf(''), 'room'),
    [denied, denied, denied],
    'not subscribed',
  )
  t.strictSame(codes(namespacesOf({ options: subscriber, insecure: true }), anonymous, 'room'), [0, 0, 0])
})
