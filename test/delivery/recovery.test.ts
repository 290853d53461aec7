// Proves recovery: from further back while others go on publishing, at exactly the top without asking the log, and
// the honest `recovered: false` where history does not reach.
import t from 'tap'
import { errors, unsubscribes } from '../../protocol/client/codes.ts'
import { lagMax } from '../../proxy/channels/catch-up.ts'
import { liveBytesMax } from '../../proxy/channels/channel.ts'
import { clusterByHand, commands, give } from '../harness/by-hand.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'
import { Gate } from '../support/gate.ts'
import { until } from '../support/until.ts'

interface Subscribed {
  epoch: string
  offset: number
  recovered?: boolean
}

const subscribed = (reply: object | undefined) => (reply as { subscribe: Subscribed }).subscribe

t.test('while publications arrive', async (t) => {
  await using cluster = await clusterByHand()
  const gate = new Gate()
  const handles = cluster.handles({}, { beforeCommit: (request) => (request === 'messages' ? gate.pass() : undefined) })
  await give(cluster, await cluster.worker({ handles }))
  const proxy = await cluster.proxy()
  const [stays, comes] = [await cluster.client(proxy), await cluster.client(proxy)]
  const { epoch } = subscribed(await stays.subscribe('room'))
  for (const data of [1, 2, 3]) await stays.publish('room', data)
  gate.shut()
  const id = comes.send({ subscribe: { channel: 'room', recover: true, epoch, offset: 1 } })
  await until('the read is held', () => gate.held === 1)
  for (const data of [4, 5]) await stays.publish('room', data)
  t.notOk(comes.replies.has(id))
  t.same(comes.dataOf('room'), [], 'nothing before the reply')
  gate.open()
  await until('it is answered', () => comes.replies.has(id))
  t.match(subscribed(comes.replies.get(id)), { epoch, offset: 1, recovered: true })
  await stays.publish('room', 6)
  await until('all arrived', () => comes.dataOf('room').includes(6))
  t.same(
    comes.recovered.map(({ data }) => data),
    [2, 3],
  )
  t.same(comes.dataOf('room'), [4, 5, 6])
  t.same(stays.dataOf('room'), [1, 2, 3, 4, 5, 6])
})

t.test('many that missed the same: one read serves them all', async (t) => {
  await using cluster = await clusterByHand()
  const gate = new Gate()
  const handles = cluster.handles({}, { beforeCommit: (request) => (request === 'messages' ? gate.pass() : undefined) })
  await give(cluster, await cluster.worker({ handles }))
  const proxy = await cluster.proxy()
  const stays = await cluster.client(proxy)
  const { epoch } = subscribed(await stays.subscribe('room'))
  for (const data of [1, 2, 3]) await stays.publish('room', data)
  const { next } = cluster.logData.range(commands, 0)
  gate.shut()
  const back = await Promise.all(
    [1, 1, 1, 1, 2].map(async (offset) => ({ offset, client: await cluster.client(proxy) })),
  )
  const asked = back.map(({ offset, client }) => ({
    client,
    offset,
    id: client.send({ subscribe: { channel: 'room', recover: true, epoch, offset } }),
  }))
  await until('both reads are held', () => gate.held === 2)
  t.equal(cluster.logData.range(commands, 0).next, next + 2, 'one for each place')
  // One that leaves does not take the others along.
  back[0]!.client.send({ unsubscribe: { channel: 'room' } })
  await stays.publish('room', 4)
  gate.open()
  for (const { client, offset, id } of asked.slice(1)) {
    await until('it is answered', () => client.replies.has(id))
    t.match(subscribed(client.replies.get(id)), { epoch, offset, recovered: true })
    await until('what came meanwhile arrived', () => client.dataOf('room').includes(4))
    t.same(
      client.recovered.map(({ data }) => data),
      [2, 3].slice(offset - 1),
    )
    t.same(client.dataOf('room'), [4])
  }
})

/** A client comes back, and others publish `count` messages of `bytes` while its read is held. */
async function comesBackMeanwhile(cluster: InProcessCluster, count: number, bytes: number) {
  const gate = new Gate()
  const handles = cluster.handles({}, { beforeCommit: (request) => (request === 'messages' ? gate.pass() : undefined) })
  await give(cluster, await cluster.worker({ handles }))
  const proxy = await cluster.proxy()
  const [stays, comes] = [await cluster.client(proxy), await cluster.client(proxy)]
  const { epoch } = subscribed(await stays.subscribe('room'))
  for (const data of [-2, -1]) await stays.publish('room', data)
  gate.shut()
  const id = comes.send({ subscribe: { channel: 'room', recover: true, epoch, offset: 1 } })
  await until('the read is held', () => gate.held === 1)
  const filling = 'x'.repeat(bytes)
  for (let i = 0; i < count; i++) stays.send({ publish: { channel: 'room', data: [i, filling] } })
  await until('all are published', () => stays.dataOf('room').length === count + 2)
  gate.open()
  await until('it is answered', () => comes.replies.has(id))
  t.match(subscribed(comes.replies.get(id)), { epoch, offset: 1, recovered: true })
  const numbers = () => comes.dataOf('room').map((data) => (data as [number])[0])
  return { stays, comes, numbers, proxy }
}

const manyInFlight = {
  'proxy.in_flight_max': '100000',
  'client.reply_deadline': '1m',
  'client.command_rate': '100000',
  'client.command_burst': '100000',
}

t.test('more than is kept for one that recovers: it is read too', async (t) => {
  await using cluster = await clusterByHand(manyInFlight)
  const count = 300
  const { comes, numbers, stays } = await comesBackMeanwhile(cluster, count, 1.2 * (liveBytesMax / count))
  await stays.publish('room', [count])
  await until('it has everything', () => numbers().length === count + 1)
  t.same(
    comes.recovered.map(({ data }) => data),
    [-1],
  )
  t.same(
    numbers(),
    Array.from({ length: count + 1 }, (_, i) => i),
  )
  t.same(comes.unsubscribed, [])
})

t.test('more than a client may fall behind by', async (t) => {
  const recoveryLimit = 5
  const limit = { 'client.recovery_max_publication_limit': String(recoveryLimit) }
  await using cluster = await clusterByHand({ ...manyInFlight, ...limit })
  const count = recoveryLimit + lagMax + 1
  const { comes, numbers, stays } = await comesBackMeanwhile(cluster, count, 1.2 * (liveBytesMax / count))
  await until('it is told', () => comes.unsubscribed.length > 0)
  t.same(comes.unsubscribed, [{ channel: 'room', code: unsubscribes.insufficient.code }])
  t.same(numbers(), [], 'and gets nothing that it could not use')
  t.notOk((await comes.subscribe('room')).error, 'it may start anew')
  await stays.publish('room', ['new'])
  await until('it goes on', () => comes.dataOf('room').length > 0)
  t.same(numbers(), ['new'])
})

t.test('at exactly the top, and fresh, on an open channel: without the log', async (t) => {
  await using cluster = await clusterByHand()
  await give(cluster, await cluster.worker())
  const gate = new Gate()
  const handles = cluster.handles({ beforeAppend: (topic) => (topic === commands ? gate.pass() : undefined) })
  const proxy = await cluster.proxy({ handles })
  const [stays, level, fresh] = [await cluster.client(proxy), await cluster.client(proxy), await cluster.client(proxy)]
  const { epoch } = subscribed(await stays.subscribe('room'))
  await stays.publish('room', 1)
  gate.shut()
  const { next } = cluster.logData.range(commands, 0)
  t.match(subscribed(await level.subscribe('room', { epoch, offset: 1 })), { epoch, offset: 1, recovered: true })
  t.match(subscribed(await fresh.subscribe('room')), { epoch, offset: 1 })
  t.equal(cluster.logData.range(commands, 0).next, next)
  t.equal(gate.held, 0)
})

t.test('beyond what history reaches', async (t) => {
  const flags = { 'channel.without_namespace.history_size': '3', 'channel.without_namespace.history_ttl': '1h' }
  await using cluster = await clusterByHand(flags)
  await give(cluster, await cluster.worker())
  const proxy = await cluster.proxy()
  const sender = await cluster.client(proxy)
  const { epoch } = subscribed(await sender.subscribe('room'))
  for (const data of [1, 2, 3, 4, 5]) await sender.publish('room', data)
  const at = async (offset: number, flag = 0) => {
    const client = await cluster.client(proxy)
    const reply = await client.command({ subscribe: { channel: 'room', recover: true, epoch, offset, flag } })
    return { client, reply }
  }
  const just = await at(2)
  t.match(subscribed(just.reply), { offset: 2, recovered: true })
  t.same(
    just.client.recovered.map(({ data }) => data),
    [3, 4, 5],
  )
  const far = await at(1)
  t.match(subscribed(far.reply), { offset: 5, was_recovering: true })
  t.notOk(subscribed(far.reply).recovered)
  t.same(far.client.recovered, [])
  t.notOk(subscribed((await at(6)).reply).recovered, 'a position that is yet to come')
  t.equal((await at(1, 2)).reply.error?.code, errors.unrecoverablePosition.code, 'an error for one who asks for that')
  await sender.publish('room', 6)
  await until('it goes on', () => far.client.dataOf('room').includes(6))
  t.same(far.client.dataOf('room'), [6])
})

t.test('older than history reaches', async (t) => {
  const flags = { 'channel.without_namespace.history_size': '100', 'channel.without_namespace.history_ttl': '50ms' }
  await using cluster = await clusterByHand(flags)
  await give(cluster, await cluster.worker())
  const proxy = await cluster.proxy()
  const [sender, client] = [await cluster.client(proxy), await cluster.client(proxy)]
  const { epoch } = subscribed(await sender.subscribe('room'))
  for (const data of [1, 2]) await sender.publish('room', data)
  const end = Date.now() + 60
  await until('they are too old', () => Date.now() > end)
  t.notOk(subscribed(await client.subscribe('room', { epoch, offset: 0 })).recovered)
})
