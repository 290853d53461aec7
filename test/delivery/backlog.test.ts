// Proves what happens when an inbox does not take its events: its backlog stays bounded, its proxy is told that it
// missed something, its sessions recover exactly that; nobody else notices, and the slot can still be handed over.
import t from 'tap'
import { unsubscribes } from '../../protocol/client/codes.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { inboxTopic } from '../../protocol/records/topics.ts'
import type { Proxy } from '../../proxy/proxy.ts'
import { clusterByHand, give, handled, onlySlot } from '../harness/by-hand.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'
import { Gate } from '../support/gate.ts'
import { until } from '../support/until.ts'

const rooms = ['a', 'b', 'c', 'd', 'e', 'f']
const text = 'x'.repeat(50_000)
const flags = { 'topics.inbox_partitions': '2', 'worker.lane_backlog_max': '1048576', 'client.reply_deadline': '1m' }

/** A proxy whose inbox is in this partition. */
async function proxyIn(cluster: InProcessCluster, partition: number): Promise<Proxy> {
  while (true) {
    const proxy = await cluster.proxy()
    if (partitionOf(proxy.id, 2) === partition) return proxy
    proxy.kill()
  }
}

async function overflowing(cluster: InProcessCluster) {
  const gate = new Gate()
  const handles = cluster.handles({
    beforeAppend: (topic, partition) => (topic === inboxTopic && partition === 1 ? gate.pass() : undefined),
  })
  const worker = await cluster.worker({ handles })
  await give(cluster, worker)
  const [sender, slow] = [
    await cluster.client(await proxyIn(cluster, 0)),
    await cluster.client(await proxyIn(cluster, 1)),
  ]
  const epochs = new Map<string, string>()
  for (const room of rooms) {
    await sender.subscribe(room)
    epochs.set(room, ((await slow.subscribe(room)).subscribe as { epoch: string }).epoch)
    await sender.publish(room, 'first')
    await until('it arrived', () => slow.dataOf(room).length === 1)
  }
  gate.shut()
  for (let i = 0; i < 10; i++) for (const room of rooms) await sender.publish(room, `${i} ${text}`)
  const recover = async (room: string) => {
    await slow.subscribe(room, { epoch: epochs.get(room)!, offset: slow.dataOf(room).length })
  }
  return { gate, worker, sender, slow, recover, metrics: handles.env.metrics }
}

/** What every subscriber must have, cut short. */
const all = ['first', ...Array.from({ length: 10 }, (_, i) => `${i} xxx`), 'last']
const short = (data: unknown[]) => data.map((each) => String(each).slice(0, 5))

t.test('overflow, resync, recovery', async (t) => {
  await using cluster = await clusterByHand(flags)
  const { gate, sender, slow, recover, metrics } = await overflowing(cluster)
  const backlog = cluster.storeData.sql.get('SELECT sum(length(body)) AS n FROM outbox WHERE inboxes <> ?', '[]')!['n']
  t.ok(Number(backlog) < 1_300_000, `what waits is bounded: ${Number(backlog)}`)
  t.ok((await metrics.laneResyncs.get()).values.some(({ value }) => value > 0))
  const pending = slow.send({ publish: { channel: 'own', data: 'unknown' } })
  await handled(cluster)
  gate.open()
  await until('it is told', () => slow.unsubscribed.length === rooms.length)
  t.ok(slow.unsubscribed.every(({ code }) => code === unsubscribes.insufficient.code))
  for (const room of rooms) {
    const before = slow.recovered.length
    const had = slow.dataOf(room)
    await recover(room)
    const missed = slow.recovered.slice(before).map(({ data }) => data)
    await sender.publish(room, 'last')
    await until('it goes on', () => slow.dataOf(room).includes('last'))
    t.same(short([...had, ...missed, ...slow.dataOf(room).slice(had.length)]), all, 'everything once, in order')
    t.same(short(sender.dataOf(room)), all)
  }
  await until('its own command is answered', () => slow.replies.has(pending))
  t.same(sender.unsubscribed, [], 'nobody else noticed')
})

t.test('a slot whose backlog is full can be handed over', async (t) => {
  await using cluster = await clusterByHand(flags)
  const { gate, worker, sender, slow, recover } = await overflowing(cluster)
  await give(cluster, await cluster.worker(), worker)
  await until('it is told', () => slow.unsubscribed.length === rooms.length)
  for (const room of rooms) await recover(room)
  gate.open()
  for (const room of rooms) {
    await sender.publish(room, 'last')
    await until('it goes on', () => slow.dataOf(room).includes('last'))
  }
  const total = rooms.reduce((sum, room) => sum + slow.dataOf(room).length, slow.recovered.length)
  t.equal(total, rooms.length * all.length, 'late appends of the owner before change nothing')
  t.equal(slow.unsubscribed.length, rooms.length)
  const left = () =>
    Number(cluster.storeData.sql.get('SELECT count(*) AS n FROM outbox WHERE slot = ?', onlySlot)!['n'])
  await until('the outbox is empty', () => left() === 0)
})
