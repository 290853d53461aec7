// Proves that a channel without a message leaves nothing behind: its row goes with the last one who has it, whether that
// one leaves or dies; it is the same stream when somebody comes back to it, who gets all that came since; and looking at a
// channel makes none.
import t from 'tap'
import { clusterByHand, give, handled, onlySlot } from '../harness/by-hand.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'

const rowsOf = (cluster: InProcessCluster) =>
  ['channel', 'interest'].map((table) => Number(cluster.storeData.sql.get(`SELECT count(*) AS n FROM ${table}`)!['n']))

t.test('ever new names', async (t) => {
  await using cluster = await clusterByHand()
  await give(cluster, await cluster.worker())
  const client = await cluster.client(await cluster.proxy())
  for (let n = 0; n < 50; n++) {
    t.notOk((await client.subscribe(`name-${n}`)).error)
    await client.command({ unsubscribe: { channel: `name-${n}` } })
  }
  await handled(cluster)
  t.same(rowsOf(cluster), [0, 0])
  await client.subscribe('kept')
  await client.publish('kept', 1)
  await client.command({ unsubscribe: { channel: 'kept' } })
  await handled(cluster)
  t.same(rowsOf(cluster), [1, 0], 'with a message it stays')
})

t.test('a position in a channel that went', async (t) => {
  await using cluster = await clusterByHand()
  const a = await cluster.worker()
  await give(cluster, a)
  const proxy = await cluster.proxy()
  const client = await cluster.client(proxy)
  const { subscribe: first } = await client.subscribe('room')
  const position = first as { epoch: string; offset: number }
  client.drop()
  const other = await cluster.client(proxy)
  await until('the channel is gone', () => rowsOf(cluster)[0] === 0)
  t.notOk((await other.subscribe('room')).error)
  await other.publish('room', 1)
  const back = await cluster.client(proxy)
  t.match(await back.subscribe('room', position), {
    subscribe: { was_recovering: true, recovered: true, offset: 0, publications: [{ offset: 1, data: 1 }] },
  })
  await other.publish('room', 2)
  await until('it is delivered', () => back.dataOf('room').length === 1)
  const b = await cluster.worker()
  await give(cluster, b, a)
  await other.publish('room', 3)
  await until('a successor goes on', () => back.dataOf('room').length === 2)
  t.same(back.unsubscribed, [])
})

t.test('a successor that was warm when the row went', async (t) => {
  await using cluster = await clusterByHand()
  const a = await cluster.worker()
  await give(cluster, a)
  const client = await cluster.client(await cluster.proxy())
  await client.subscribe('room')
  await give(cluster, await cluster.worker(), a)
  await client.command({ unsubscribe: { channel: 'room' } })
  await handled(cluster)
  t.same(rowsOf(cluster), [0, 0])
  t.notOk((await client.subscribe('room')).error)
  await client.publish('room', 'x')
  await until('it is delivered', () => client.dataOf('room').length === 1)
  t.match(await cluster.store.channels(onlySlot, ['room']), [{ top: 1 }])
})

t.test('however often it went, it is the same stream', async (t) => {
  await using cluster = await clusterByHand()
  const a = await cluster.worker()
  await give(cluster, a)
  const client = await cluster.client(await cluster.proxy())
  const epochs = new Set<string>()
  const visit = async (): Promise<void> => {
    const { subscribe } = await client.subscribe('room')
    epochs.add((subscribe as { epoch: string }).epoch)
    await client.command({ unsubscribe: { channel: 'room' } })
  }
  await visit()
  await handled(cluster)
  t.same(rowsOf(cluster), [0, 0])
  await client.command({ history: { channel: 'room' } })
  await visit()
  await give(cluster, await cluster.worker(), a)
  await visit()
  t.equal(epochs.size, 1)
  await using another = await clusterByHand({}, 'another')
  await give(another, await another.worker())
  const { subscribe } = await (await another.client(await another.proxy())).subscribe('room')
  t.notOk(epochs.has((subscribe as { epoch: string }).epoch), 'and none of another store')
})
