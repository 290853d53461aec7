// Proves that a worker which stops in the middle of something and wakes after its slots were given away does no harm:
// it is fenced, nothing of it takes effect twice, and it knows what it no longer owns.
import t from 'tap'
import { clusterByHand, give, handled, hint, onlySlot, stored } from '../harness/by-hand.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { Gate } from '../support/gate.ts'
import { until } from '../support/until.ts'
import { chatBut, isPoison, never } from './deadly.ts'

t.test('frozen in mid commit', async (t) => {
  await using cluster = await clusterByHand()
  const gate = new Gate()
  const handles = cluster.handles({}, { beforeCommit: (request) => (request === 'commit' ? gate.pass() : undefined) })
  const [a, b] = [await cluster.worker({ handles }), await cluster.worker()]
  await give(cluster, a)
  const client = await cluster.client(await cluster.proxy())
  await client.subscribe('room')
  gate.shut()
  const ids = [1, 2, 3].map((data) => client.send({ publish: { channel: 'room', data } }))
  await until('A is about to commit', () => gate.held === 1)
  await give(cluster, b)
  await until('B did it', () => ids.every((id) => client.replies.has(id)))
  gate.open()
  await client.publish('room', 4)
  t.same(await stored(cluster, 'room'), [1, 2, 3, 4])
  await until('the last one arrived', () => client.dataOf('room').includes(4))
  t.same(client.dataOf('room'), [1, 2, 3, 4])
  const { fenced } = handles.env.metrics
  await until('A found itself fenced', async () => (await fenced.get()).values.some(({ value }) => value > 0))
})

t.test('cut off from log and store until its slots were given away', async (t) => {
  await using cluster = new InProcessCluster({ 'client.reply_deadline': '30s' })
  await cluster.controller()
  const handles = cluster.handles()
  const { log, store } = handles.env
  const a = await cluster.worker({ handles })
  await cluster.owned([a])
  const client = await cluster.client(await cluster.proxy())
  const rooms = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const room of rooms) await client.subscribe(room)
  const publish = (data: number) => rooms.map((channel) => client.send({ publish: { channel, data } }))
  const first = publish(1)
  log.cut()
  store.cut()
  const second = publish(2)
  const b = await cluster.worker()
  await cluster.owned([b])
  await until('all is answered', () => [...first, ...second].every((id) => client.replies.has(id)))
  log.restore()
  store.restore()
  const third = publish(3)
  await until('all is answered', () => third.every((id) => client.replies.has(id)))
  for (const room of rooms) {
    await until('all arrived', () => client.dataOf(room).includes(3))
    t.same(client.dataOf(room), [1, 2, 3])
  }
  t.ok([...first, ...second, ...third].every((id) => !client.replies.get(id)!.error))
  t.same(client.unsubscribed, [])
})

t.test('one that slept through its loss can still be drained', async (t) => {
  await using cluster = await clusterByHand()
  const ended: string[] = []
  const a = await cluster.worker({ ended: (why) => ended.push(why) })
  await give(cluster, a)
  await give(cluster, await cluster.worker())
  hint(cluster, { type: 'drain', term: 1, worker: a.id })
  await until('A is done', () => ended.length > 0)
  t.same(ended, ['drained'])
})

t.test('one whose app hangs lets go of what another took', async (t) => {
  await using cluster = await clusterByHand()
  const ended: string[] = []
  const a = await cluster.worker({ app: chatBut(never, isPoison), ended: (why) => ended.push(why) })
  await give(cluster, a)
  const client = await cluster.client(await cluster.proxy())
  client.send({ publish: { channel: 'room', data: 'poison, they say' } })
  await until('it is in the log', () => cluster.logData.range('holdfast.commands.default', 0).next === 1)
  await give(cluster, await cluster.worker())
  await handled(cluster)
  hint(cluster, { type: 'drain', term: 1, worker: a.id })
  await until('A is done', () => ended.length > 0)
  t.same(await stored(cluster, 'room', onlySlot), ['poison, they say'])
})
