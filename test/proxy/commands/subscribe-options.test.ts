/**
 * Proves that a client gets the subscription that it asked for, or hears that it does not: recovery and positioning where
 * the namespace allows them, no filters, kinds and deltas that are not there, positions beyond every stream, and what its
 * permissions are while a subscription is being made anew.
 */
import t from 'tap'
import { disconnects, errors, unsubscribes } from '../../../protocol/client/codes.ts'
import { partitionOf } from '../../../protocol/partition.ts'
import { encodeNotice } from '../../../protocol/records/notice.ts'
import { inboxTopic } from '../../../protocol/records/topics.ts'
import type { Wire } from '../../harness/clients/wire.ts'
import { Served } from '../../harness/served.ts'
import { until } from '../../support/until.ts'

const member = { allow_subscribe_for_client: true, allow_publish_for_subscriber: true }
const history = { history_size: 100, history_ttl: '1h' }
const namespaces = [
  { name: 'plain', ...member, ...history },
  { name: 'recovery', ...member, ...history, allow_recovery: true },
  { name: 'positioning', ...member, ...history, allow_positioning: true },
  { name: 'readers', ...member, ...history, allow_history_for_subscriber: true },
  { name: 'clients', ...member, ...history, allow_history_for_client: true },
  { name: 'forced', ...member, ...history, force_recovery: true },
  { name: 'told', ...member, ...history, force_positioning: true },
  { name: 'nothing', ...member, allow_recovery: true, allow_positioning: true },
]

const served = await Served.start({
  'channel.namespaces': JSON.stringify(namespaces),
  'client.command_burst': '10000',
})
t.teardown(() => served[Symbol.asyncDispose]())

void t.test('recovery and positioning, as the namespace allows and the reply says', async (t) => {
  const wire = await served.client()
  const asked = { none: {}, positioned: { positioned: true }, recoverable: { recoverable: true } }
  type Given = '' | 'positioned' | 'recoverable'
  const given: Record<string, Record<keyof typeof asked, Given>> = {
    plain: { none: '', positioned: '', recoverable: '' },
    recovery: { none: '', positioned: '', recoverable: 'recoverable' },
    positioning: { none: '', positioned: 'positioned', recoverable: '' },
    readers: { none: '', positioned: 'positioned', recoverable: 'recoverable' },
    clients: { none: '', positioned: 'positioned', recoverable: 'recoverable' },
    forced: { none: 'recoverable', positioned: 'recoverable', recoverable: 'recoverable' },
    told: { none: 'positioned', positioned: 'positioned', recoverable: 'positioned' },
    nothing: { none: '', positioned: 'positioned', recoverable: '' },
  }
  for (const [namespace, wants] of Object.entries(given)) {
    for (const [what, flags] of Object.entries(asked)) {
      const expected = wants[what as keyof typeof asked]
      const channel = `${namespace}:${what}`
      const { subscribe } = await wire.command({ subscribe: { channel, ...flags } })
      t.strictSame(
        [subscribe?.recoverable ?? false, subscribe?.positioned ?? false, subscribe?.epoch !== undefined],
        [expected === 'recoverable', expected !== '', expected !== ''],
        `${channel}: ${expected}`,
      )
    }
  }
})

void t.test('who asked for recovery recovers; who was not given it hears that it did not', async (t) => {
  const [writer, comes] = [await served.client('writer'), await served.client('reader')]
  for (const [channel, isGiven] of [
    ['recovery:room', true],
    ['plain:room', false],
  ] as const) {
    const { subscribe } = await writer.command({ subscribe: { channel, recoverable: true } })
    for (const data of [1, 2, 3]) await writer.command({ publish: { channel, data } })
    const from = { recover: true, recoverable: true, offset: 1, epoch: subscribe?.epoch ?? '' }
    const reply = (await comes.command({ subscribe: { channel, ...from } })).subscribe
    t.equal(reply?.was_recovering, true)
    t.equal(reply?.recovered ?? false, isGiven)
    t.strictSame(
      (reply?.publications ?? []).map(({ data }) => data),
      isGiven ? [2, 3] : [],
    )
  }
})

void t.test('what is not there is refused, never ignored', async (t) => {
  const subscribe = (more: object) => ({ subscribe: { channel: 'plain:other', ...more } })
  const wire = await served.client()
  const filter = { key: 'env', cmp: 'eq', val: 'prod' }
  t.equal(await wire.errorOf(subscribe({ tf: filter })), errors.badRequest.code, 'a filter of tags')
  for (const type of [1, 2, 3, 5, -1])
    t.equal(await wire.errorOf(subscribe({ type })), errors.permissionDenied.code, `type ${type}`)
  t.equal(await wire.errorOf(subscribe({ type: 4 })), errors.notAvailable.code, 'shared poll')
  t.equal(await wire.errorOf(subscribe({ delta: 'fossil', type: 0, tf: null })), 0, 'what the client could take')
  for (const broken of [{ delta: 'xdelta' }, { tf: 'env' }, { type: 'map' }, { type: 1.5 }]) {
    const other = await served.client()
    other.send(subscribe(broken))
    t.match(await other.close(), disconnects.badRequest, JSON.stringify(broken))
  }
})

void t.test('positions beyond every stream', async (t) => {
  const wire = await served.client()
  const channel = 'forced:beyond'
  const { subscribe } = await wire.command({ subscribe: { channel } })
  await wire.command({ publish: { channel, data: 1 } })
  for (const offset of [2, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 2 ** 64]) {
    await wire.command({ unsubscribe: { channel } })
    for (const epoch of ['', subscribe!.epoch]) {
      const reply = await wire.command({ subscribe: { channel, recover: true, epoch, offset } })
      t.match(reply.subscribe, { was_recovering: true, offset: 1 }, `from ${offset}`)
      t.equal(reply.subscribe?.recovered, undefined)
      await wire.command({ unsubscribe: { channel } })
    }
  }
  const reader = 'clients:beyond'
  await wire.command({ subscribe: { channel: reader } })
  await wire.command({ publish: { channel: reader, data: 1 } })
  for (const offset of [2 ** 53 - 1, 2 ** 64]) {
    for (const reverse of [false, true]) {
      const since = { offset, epoch: '' }
      const reply = await wire.command({ history: { channel: reader, limit: 10, since, reverse } })
      t.equal(reply.history?.publications.length, reverse ? 1 : 0, `${reverse ? 'before' : 'after'} ${offset}`)
    }
  }
})

void t.test('keys of clients without a user id are their own', async (t) => {
  const flags = {
    'channel.without_namespace.allow_publish_for_client': 'true',
    'channel.without_namespace.allow_publish_for_anonymous': 'true',
  }
  await using served = await Served.start(flags)
  const send = async (wire: Wire, data: string) => {
    const rpc = { method: 'chat.send', data: { channel: 'room', data, key: 'k' } }
    const reply = await wire.command({ rpc })
    return reply.rpc?.data['offset'] ?? reply.error?.code
  }
  const [one, other, ada, adaToo] = await Promise.all(['', '', 'ada', 'ada'].map((user) => served.client(user)))
  t.equal(await send(one!, 'a'), 1)
  t.equal(await send(other!, 'a'), 2, 'somebody else')
  t.equal(await send(one!, 'a'), 1, 'the same again')
  t.equal(await send(one!, 'b'), errors.badRequest.code)
  t.equal(await send(ada!, 'a'), 3)
  t.equal(await send(adaToo!, 'a'), 3, 'of one user, whatever the connection')
})

void t.test('while a subscription is being made anew, what it permits is refused for a while only', async (t) => {
  const channel = 'recovery:anew'
  const send = { rpc: { method: 'chat.send', data: { channel, data: 1 } } }
  const wire = await served.client()
  t.equal(await wire.errorOf(send), errors.permissionDenied.code, 'who never had it')
  await wire.command({ subscribe: { channel } })
  const { slots, inbox_partitions: inboxes } = served.cluster.config.topics
  const to = [served.proxy.id]
  const resync = async () => {
    const ended = () =>
      wire.messages.filter(({ push }) => push?.unsubscribe?.code === unsubscribes.insufficient.code).length
    const before = ended()
    const value = encodeNotice({ type: 'resync', slot: `default/${partitionOf(channel, slots)}`, to })
    served.cluster.logData.append(inboxTopic, partitionOf(served.proxy.id, inboxes), [{ key: null, value }])
    await until('its subscription is ended', () => ended() > before)
  }
  await resync()
  for (const command of [send, { publish: { channel, data: 1 } }]) {
    t.match((await wire.command(command)).error, errors.tooManyRequests)
  }
  const [subscribed, sent] = wire.send({ subscribe: { channel } }, send)
  t.match([await wire.reply(subscribed!), await wire.reply(sent!)], [{ subscribe: {} }, { rpc: {} }])
  await resync()
  await wire.command({ unsubscribe: { channel } })
  t.equal(await wire.errorOf(send), errors.permissionDenied.code, 'who left it')
})
