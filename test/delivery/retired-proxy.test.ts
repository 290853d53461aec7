// Proves what becomes of a proxy: one that is dead is forgotten by every slot and can not come back with late
// commands; one that was only cut off and finds itself declared dead sends its clients elsewhere; one that is merely
// cut off for a while keeps its sessions and takes no new ones.
import t from 'tap'
import { disconnects } from '../../protocol/client/codes.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { slotId } from '../../protocol/slot.ts'
import { commands, handled, stored } from '../harness/by-hand.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { commandOf } from '../support/records.ts'
import { until } from '../support/until.ts'
import { rowsOf } from './facts.ts'

const rooms = ['a', 'b', 'c', 'd', 'e', 'f']

t.test('killed', async (t) => {
  await using cluster = new InProcessCluster()
  await cluster.controller()
  await cluster.worker()
  await cluster.owned()
  const [dead, alive] = [await cluster.proxy(), await cluster.proxy()]
  const [lost, stays] = [await cluster.client(dead), await cluster.client(alive)]
  for (const room of rooms) {
    await lost.subscribe(room)
    await stays.subscribe(room)
    await lost.publish(room, 1)
  }
  t.match(rowsOf(cluster, dead.id), { interest: rooms.length, producers: 4, tombstones: 0 })
  dead.kill()
  await until('every slot has forgotten it', () => rowsOf(cluster, dead.id).tombstones === 4)
  t.same(rowsOf(cluster, dead.id), { interest: 0, producers: 0, tombstones: 4 })
  await until('it is gone', async () => !(await cluster.store.instances()).some(({ id }) => id === dead.id))
  t.same(
    (await cluster.store.instances()).map(({ id }) => id),
    [alive.id],
  )

  const partition = partitionOf('a', 4)
  const late = commandOf({ channel: 'a', n: 1_000, instance: dead.id, producer: `${dead.id}.1` })
  cluster.logData.append(commands, partition, [{ key: null, value: late }])
  await handled(cluster, slotId('default', partition))
  t.same(await stored(cluster, 'a', slotId('default', partition)), [1], 'what comes late is refused')
  t.same(rowsOf(cluster, dead.id), { interest: 0, producers: 0, tombstones: 4 })

  t.notOk((await stays.publish('a', 2)).error)
  await until('the others go on', () => stays.dataOf('a').includes(2))
  t.equal(stays.closed, null)
})

t.test('declared dead while it was cut off', async (t) => {
  await using cluster = new InProcessCluster()
  await cluster.controller()
  await cluster.worker()
  await cluster.owned()
  const handles = cluster.handles()
  const ended: string[] = []
  const proxy = await cluster.proxy({ handles, ended: (why) => ended.push(why) })
  const client = await cluster.client(proxy)
  await client.subscribe('room')
  handles.env.log.cut()
  await until('it is gone', () => rowsOf(cluster, proxy.id).tombstones === 4)
  t.equal(client.closed, null)
  handles.env.log.restore()
  await until('it gives up', () => ended.length > 0)
  t.match(ended, [/declared dead/])
  t.same(client.closed, { code: disconnects.forceReconnect.code })
  t.not(proxy.ready, true)
})

t.test('cut off for a while', async (t) => {
  await using cluster = new InProcessCluster({ 'controller.proxy_death_time': '1h', 'client.reply_deadline': '30s' })
  await cluster.controller()
  await cluster.worker()
  await cluster.owned()
  const handles = cluster.handles()
  const proxy = await cluster.proxy({ handles })
  const [client, outside] = [await cluster.client(proxy), await cluster.client(await cluster.proxy())]
  await client.subscribe('room')
  t.equal(proxy.ready, true)
  handles.env.log.cut()
  await until('it takes no new clients', () => proxy.ready === 'isolated')
  const id = client.send({ publish: { channel: 'room', data: 'held up' } })
  await outside.publish('room', 'meanwhile')
  t.equal(client.closed, null, 'its sessions stay')
  handles.env.log.restore()
  await until('it is back', () => proxy.ready === true)
  await until('what was held up went through', () => client.replies.has(id))
  await until('all arrived', () => client.dataOf('room').length === 2)
  t.same(client.dataOf('room'), ['meanwhile', 'held up'])
  t.same(client.unsubscribed, [])
  t.equal(client.closed, null)
})

t.test('cut off for too long', async (t) => {
  await using cluster = new InProcessCluster({ 'controller.proxy_death_time': '1h', 'proxy.isolation_timeout': '1s' })
  await cluster.worker()
  const handles = cluster.handles()
  const ended: string[] = []
  const proxy = await cluster.proxy({ handles, ended: (why) => ended.push(why) })
  const client = await cluster.client(proxy)
  handles.env.log.cut()
  await until('it gives up', () => ended.length > 0)
  t.same(client.closed, { code: disconnects.forceReconnect.code })
})
