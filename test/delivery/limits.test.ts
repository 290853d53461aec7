// Proves the limits on the way into the log: what one slot and one of its channels may have in flight, by count and by
// bytes, that a busy room outlives the death and the drain of its owner without an error, what happens at the deadline
// to a command that was sent and to one that was not, and that a read outlives the worker it was asked of.
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import { errors } from '../../protocol/client/codes.ts'
import { clusterByHand, commands, give, handled, stored } from '../harness/by-hand.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'
import { Gate } from '../support/gate.ts'
import { until } from '../support/until.ts'

t.test('in flight per slot and per channel', async (t) => {
  await using cluster = await clusterByHand({ 'proxy.in_flight_max': '8', 'client.reply_deadline': '1m' })
  const proxy = await cluster.proxy()
  const client = await cluster.client(proxy)
  const publish = (channel: string) => client.send({ publish: { channel, data: 'x' } })
  const codeOf = (id: number) => client.replies.get(id)?.error?.code
  const accepted = [publish('a'), publish('a')]
  const over = publish('a')
  await until('it is refused', () => client.replies.has(over))
  t.equal(codeOf(over), errors.tooManyRequests.code, 'a quarter of the slot for one channel')
  for (const channel of ['b', 'b', 'c', 'c', 'd', 'd']) accepted.push(publish(channel))
  const beyond = publish('e')
  await until('it is refused', () => client.replies.has(beyond))
  t.equal(codeOf(beyond), errors.tooManyRequests.code, 'the slot is full')
  t.notOk(accepted.some((id) => client.replies.has(id)))
  await give(cluster, await cluster.worker())
  await until('all are answered', () => accepted.every((id) => client.replies.has(id)))
  t.ok(accepted.every((id) => codeOf(id) === undefined))
  t.notOk((await client.publish('a', 'again')).error)
  t.same(await stored(cluster, 'a'), ['x', 'x', 'again'], 'what was refused had no effect')
})

t.test('bytes in flight per slot and per channel', async (t) => {
  await using cluster = await clusterByHand({ 'proxy.in_flight_bytes_max': '16777216', 'client.reply_deadline': '1m' })
  const handles = cluster.handles()
  const client = await cluster.client(await cluster.proxy({ handles }))
  const data = 'x'.repeat(60_000)
  const inFlight = async () => (await handles.env.metrics.inFlightBytes.get()).values[0]?.value ?? 0
  /** As many as are taken: each counts at once, and what is refused does not. */
  const fill = async (channel: string): Promise<number[]> => {
    const ids: number[] = []
    while (true) {
      const before = await inFlight()
      const id = client.send({ publish: { channel, data } })
      if ((await inFlight()) === before) {
        await until('it is refused', () => client.replies.get(id)?.error?.code === errors.tooManyRequests.code)
        return ids
      }
      ids.push(id)
    }
  }
  const rooms = ['a', 'b', 'c', 'd']
  const accepted: number[] = []
  for (const room of rooms) {
    const ids = await fill(room)
    t.ok(ids.length >= 15 && ids.length <= 17, `a mebibyte for ${room}: ${ids.length}`)
    accepted.push(...ids)
  }
  t.same(await fill('e'), [], 'the slot is full')
  const { values } = await handles.env.metrics.inFlightBytes.get()
  t.ok(values[0]!.value > 3_800_000 && values[0]!.value <= 4_194_304, 'shown')
  await give(cluster, await cluster.worker())
  await until('all are answered', () => accepted.every((id) => client.replies.has(id)))
  t.notOk(accepted.some((id) => client.replies.get(id)!.error))
  t.notOk((await client.publish('e', 'x')).error, 'there is room again')
  t.equal((await handles.env.metrics.inFlightBytes.get()).values[0]!.value, 0)
})

/** All of it may come to a client at once, when this process was away for a while. */
const roomy = { 'client.reply_deadline': '1m', 'client.queue_max_size': '16000000' }

/** Publishes by 50 clients in one room, and what came of them. */
async function busyRoom(cluster: InProcessCluster) {
  const proxy = await cluster.proxy()
  const clients = await Promise.all(Array.from({ length: 50 }, () => cluster.client(proxy)))
  await clients[0]!.subscribe('room')
  const asked: { client: (typeof clients)[number]; id: number }[] = []
  return {
    clients,
    publish(count: number): void {
      for (let n = 0; n < count; n++) {
        const client = clients[asked.length % clients.length]!
        asked.push({ client, id: client.send({ publish: { channel: 'room', data: asked.length } }) })
      }
    },
    async check(t: Test): Promise<void> {
      await until('all are answered', () => asked.every(({ client, id }) => client.replies.has(id)), 60_000)
      const codes = asked.map(({ client, id }) => client.replies.get(id)!.error?.code)
      t.same(
        codes.filter((code) => code !== undefined),
        [],
        'none is refused',
      )
      await until('all are delivered', () => clients[0]!.dataOf('room').length >= asked.length, 60_000)
      t.same(
        clients[0]!.dataOf('room'),
        asked.map((_, n) => n),
        'once and in order',
      )
    },
  }
}

t.test('a room of 2,000 publications a second waits for a new owner', async (t) => {
  await using cluster = await clusterByHand(roomy)
  const a = await cluster.worker()
  await give(cluster, a)
  const room = await busyRoom(cluster)
  a.kill()
  // As much as comes in until the deadline of the first is over.
  room.publish(9_000)
  const other = room.clients[1]!.send({ publish: { channel: 'other', data: 'x' } })
  await give(cluster, await cluster.worker())
  await room.check(t)
  await until('the other room too', () => room.clients[1]!.replies.has(other))
  t.notOk(room.clients[1]!.replies.get(other)!.error)
})

t.test('a room of 2,000 publications a second goes from a worker that is drained to the next', async (t) => {
  await using cluster = await clusterByHand(roomy)
  const [a, b] = [await cluster.worker(), await cluster.worker()]
  await give(cluster, a)
  const room = await busyRoom(cluster)
  room.publish(4_000)
  const given = give(cluster, b, a).then(() => true)
  // It goes on while the slot has one owner, none, and the other.
  let left = 4_000
  while (!(await Promise.race([given, nextTurn(false)]))) {
    const count = Math.min(left, 40)
    room.publish(count)
    left -= count
  }
  room.publish(1_000 + left)
  await room.check(t)
})

t.test('at the deadline', async (t) => {
  await using cluster = await clusterByHand({ 'proxy.in_flight_max': '8', 'client.reply_deadline': '200ms' })
  const gate = new Gate().shut()
  const handles = cluster.handles({ beforeAppend: (topic) => (topic === commands ? gate.pass() : undefined) })
  const client = await cluster.client(await cluster.proxy({ handles }))
  const sent = client.send({ publish: { channel: 'a', data: 'sent' } })
  await until('it is being sent', () => gate.held === 1)
  const unsent = client.send({ publish: { channel: 'a', data: 'unsent' } })
  await until('both are answered', () => client.replies.has(sent) && client.replies.has(unsent))
  t.same(
    [sent, unsent].map((id) => client.replies.get(id)!.error?.code),
    [errors.internal.code, errors.internal.code],
  )
  gate.open()
  const sentToo = client.send({ publish: { channel: 'a', data: 'sent too' } })
  await until('it is answered', () => client.replies.has(sentToo))
  t.equal(client.replies.get(sentToo)!.error?.code, errors.internal.code, 'nobody handles it')
  t.equal(
    (await client.publish('a', 'refused')).error?.code,
    errors.tooManyRequests.code,
    'what was sent stays in flight',
  )
  await give(cluster, await cluster.worker())
  await handled(cluster)
  await until('there is room again', async () => !(await client.publish('a', 'end')).error)
  t.same(await stored(cluster, 'a'), ['sent', 'sent too', 'end'], 'what was not sent never happened')
  // The client throws when a command is answered twice.
  t.equal(client.replies.get(sent)!.error?.code, errors.internal.code)
})

t.test('leaving is never refused', async (t) => {
  await using cluster = await clusterByHand({ 'proxy.in_flight_max': '4', 'client.reply_deadline': '1m' })
  const a = await cluster.worker()
  await give(cluster, a)
  const client = await cluster.client(await cluster.proxy())
  await client.subscribe('a')
  a.kill()
  for (const channel of ['b', 'c', 'd', 'e']) client.send({ publish: { channel, data: 'x' } })
  t.equal((await client.publish('f', 'x')).error?.code, errors.tooManyRequests.code)
  t.equal((await client.subscribe('f')).error?.code, errors.tooManyRequests.code, 'a subscribe waits its turn')
  await client.command({ unsubscribe: { channel: 'a' } })
  await give(cluster, await cluster.worker())
  await handled(cluster)
  t.same(await cluster.store.channels('default/0', ['a']), [], 'nothing is left of it')
})

t.test('a read whose worker dies after the commit, before its answer', async (t) => {
  await using cluster = await clusterByHand()
  const gate = new Gate()
  const handles = cluster.handles({}, { beforeCommit: (request) => (request === 'messages' ? gate.pass() : undefined) })
  const a = await cluster.worker({ handles })
  await give(cluster, a)
  const client = await cluster.client(await cluster.proxy())
  await client.subscribe('room')
  await client.publish('room', 1)
  gate.shut()
  const id = client.send({ history: { channel: 'room', limit: 10 } })
  await until('A has committed and reads', () => gate.held === 1)
  a.kill()
  await give(cluster, await cluster.worker())
  await until('it is answered', () => client.replies.has(id))
  t.match(client.replies.get(id), { history: { publications: [{ offset: 1, data: 1 }] } })
  t.ok(cluster.logData.range(commands, 0).next > 3, 'it was asked again')
})
