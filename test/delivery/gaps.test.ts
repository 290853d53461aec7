// Proves that a subscriber who misses something is told so and gets exactly what it missed: an event lost on the way,
// lost at the very end, unreadable, or of another stream.
import t from 'tap'
import { errors, unsubscribes } from '../../protocol/client/codes.ts'
import { inboxTopic } from '../../protocol/records/topics.ts'
import { clusterByHand, give, onlySlot } from '../harness/by-hand.ts'
import type { Client } from '../harness/clients/client.ts'
import type { Message } from '../harness/clients/messages.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'

/** A worker that owns the slot; while `damage` is set, it is done to what the worker appends to the inboxes. */
async function lossyWorker(cluster: InProcessCluster) {
  const lossy = { damage: null as ((entries: { value: Buffer }[]) => void) | null }
  const handles = cluster.handles({
    beforeAppend: (topic, _partition, entries) => (topic === inboxTopic ? lossy.damage?.(entries) : undefined),
  })
  await give(cluster, await cluster.worker({ handles }))
  return lossy
}

const lose = (entries: unknown[]) => void (entries.length = 0)
const spoil = (entries: { value: Buffer }[]) => entries.forEach((entry) => (entry.value = Buffer.from('spoilt')))

function positionOf(reply: Message): { epoch: string; offset: number } {
  return reply.subscribe as { epoch: string; offset: number }
}

async function unsubscribed(client: Client, code: number): Promise<void> {
  await until(`unsubscribed with ${code}`, () => client.unsubscribed.length > 0)
  if (client.unsubscribed[0]!.code !== code) throw new Error(`unsubscribed with ${client.unsubscribed[0]!.code}`)
}

for (const [name, damage] of Object.entries({ lost: lose, unreadable: spoil })) {
  t.test(`a record of the inbox is ${name}`, async (t) => {
    await using cluster = await clusterByHand()
    const lossy = await lossyWorker(cluster)
    const [p1, p2] = [await cluster.proxy(), await cluster.proxy()]
    const [sender, client] = [await cluster.client(p1), await cluster.client(p2)]
    const { epoch } = positionOf(await client.subscribe('room'))
    await sender.publish('room', 1)
    await until('it arrived', () => client.dataOf('room').length === 1)
    lossy.damage = damage
    const id = sender.send({ publish: { channel: 'room', data: 2 } })
    await until('it is handled', async () => (await cluster.store.lease(onlySlot)).nextOffset === 3)
    sender.send({ publish: { channel: 'room', data: 3 } })
    await until('it is handled', async () => (await cluster.store.lease(onlySlot)).nextOffset === 4)
    lossy.damage = null
    await sender.publish('room', 4)
    await unsubscribed(client, unsubscribes.insufficient.code)
    t.same(client.dataOf('room'), [1])
    const reply = positionOf(await client.subscribe('room', { epoch, offset: 1 }))
    t.match(reply, { recovered: true, was_recovering: true, epoch, offset: 1 })
    t.same(
      client.recovered.map(({ data }) => data),
      [2, 3, 4],
    )
    await sender.publish('room', 5)
    await until('it goes on', () => client.dataOf('room').includes(5))
    t.same(client.dataOf('room'), [1, 5])
    t.equal(
      sender.replies.get(id)?.error?.code,
      errors.internal.code,
      'a later reply shows that this one was lost: outcome unknown',
    )
  })
}

t.test('the last event is lost and nobody speaks', async (t) => {
  await using cluster = await clusterByHand({ 'proxy.position_check_interval': '100ms' })
  const lossy = await lossyWorker(cluster)
  const [p1, p2] = [await cluster.proxy(), await cluster.proxy()]
  const [sender, client] = [await cluster.client(p1), await cluster.client(p2)]
  const { epoch } = positionOf(await client.subscribe('room'))
  await sender.publish('room', 1)
  lossy.damage = lose
  sender.send({ publish: { channel: 'room', data: 2 } })
  await until('it is handled', async () => (await cluster.store.channels(onlySlot, ['room']))[0]!.top === 2)
  lossy.damage = null
  await unsubscribed(client, unsubscribes.insufficient.code)
  t.same(client.dataOf('room'), [1])
  await client.subscribe('room', { epoch, offset: 1 })
  t.same(
    client.recovered.map(({ data }) => data),
    [2],
  )
})

t.test('the check finds nothing where nothing is missing', async (t) => {
  await using cluster = await clusterByHand({ 'proxy.position_check_interval': '100ms' })
  await give(cluster, await cluster.worker())
  const handles = cluster.handles()
  const client = await cluster.client(await cluster.proxy({ handles }))
  await client.subscribe('room')
  let sent = 0
  const checks = () =>
    cluster.logData.read('holdfast.commands.default', 0, 0).filter(({ value }) => value.includes('"m":"tops"')).length
  await until('three checks', async () => {
    await client.publish('room', sent++)
    return checks() >= 3
  })
  t.same(client.unsubscribed, [])
  t.equal(client.dataOf('room').length, sent)
})

t.test('a stream of another epoch', async (t) => {
  await using cluster = await clusterByHand()
  await give(cluster, await cluster.worker())
  const client = await cluster.client(await cluster.proxy())
  const { epoch } = positionOf(await client.subscribe('room'))
  await client.publish('room', 1)
  cluster.storeData.sql.run("UPDATE channel SET epoch = 'another', top = 0")
  cluster.storeData.sql.run('DELETE FROM message')
  await give(cluster, await cluster.worker())
  await client.publish('room', 'of the other')
  await unsubscribed(client, unsubscribes.invalidated.code)
  t.same(client.dataOf('room'), [1])
  const reply = (await client.subscribe('room', { epoch, offset: 1 })).subscribe as { recovered?: true }
  t.match(reply, { epoch: 'another', offset: 1, was_recovering: true })
  t.notOk(reply.recovered)
})
