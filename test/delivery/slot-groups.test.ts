// Proves that rooms of a namespace with a slot group of its own live as all others do: they are served, recovered and
// checked, they outlive their worker, and a dead proxy is forgotten by the slots of every group; and that processes whose
// configuration has the namespace elsewhere do not start.
import t from 'tap'
import { unsubscribes } from '../../protocol/client/codes.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { inboxTopic } from '../../protocol/records/topics.ts'
import { slotId } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { stored } from '../harness/by-hand.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { buildController, buildProxy, buildWorker } from '../harness/roles.ts'
import { testConfig } from '../harness/settings.ts'
import { until } from '../support/until.ts'
import { rowsOf } from './facts.ts'

const history = { history_size: 100, history_ttl: '5m', force_recovery: true, allow_subscribe_for_client: true }
const settings = {
  'channel.namespaces': JSON.stringify(['staff', 'open'].map((name) => ({ name, ...history }))),
  'topics.groups': JSON.stringify([{ name: 'inner', slots: 2, namespaces: ['staff'] }]),
  'proxy.position_check_interval': '100ms',
}
const slotsInAll = 4 + 2
/** In each slot of both groups there is one at least. */
const rooms = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((name) => [name, `staff:${name}`, `open:${name}`])
const slotOf = (room: string): SlotId =>
  room.startsWith('staff:') ? slotId('inner', partitionOf(room, 2)) : slotId('default', partitionOf(room, 4))

async function start(cluster: InProcessCluster) {
  await cluster.controller()
  const workers = [await cluster.worker(), await cluster.worker()]
  await cluster.owned(workers)
  return workers
}

t.test('rooms of both groups outlive their workers and recover', async (t) => {
  await using cluster = new InProcessCluster(settings)
  const workers = await start(cluster)
  t.equal((await cluster.store.leases()).length, slotsInAll)
  const [one, two] = [await cluster.proxy(), await cluster.proxy()]
  const [stays, away] = [await cluster.client(one), await cluster.client(two)]
  const places = new Map<string, { epoch: string; offset: number }>()
  for (const room of rooms) {
    await stays.subscribe(room)
    const { subscribe } = (await away.subscribe(room)) as { subscribe: { epoch: string; offset: number } }
    places.set(room, subscribe)
    t.notOk((await stays.publish(room, 1)).error)
  }
  away.drop()
  workers[0]!.kill()
  for (const room of rooms) t.notOk((await stays.publish(room, 2)).error, room)
  await cluster.owned([workers[1]!])

  const back = await cluster.client(two)
  for (const room of rooms) {
    t.match(await back.subscribe(room, places.get(room)), { subscribe: { recovered: true } }, room)
    t.notOk((await stays.publish(room, 3)).error)
  }
  await until('all have all', () => rooms.every((room) => [stays, back].every((each) => each.dataOf(room).includes(3))))
  for (const room of rooms) {
    t.same(stays.dataOf(room), [1, 2, 3], room)
    t.same(await stored(cluster, room, slotOf(room)), [1, 2, 3], `${room} is in ${slotOf(room)}`)
    t.same(back.dataOf(room), [3], room)
  }
  t.same(
    back.recovered.map(({ data }) => data),
    rooms.flatMap(() => [1, 2]),
  )
  t.same(stays.unsubscribed, [])
  t.equal(stays.closed, null)
})

t.test('a last event that was lost is found missing in any group', async (t) => {
  await using cluster = new InProcessCluster(settings)
  await cluster.controller()
  let isLossy = false
  const handles = cluster.handles({
    beforeAppend: (topic, _partition, entries) => {
      if (isLossy && topic === inboxTopic) entries.length = 0
    },
  })
  const worker = await cluster.worker({ handles })
  await cluster.owned([worker])
  const client = await cluster.client(await cluster.proxy())
  const sender = await cluster.client(await cluster.proxy())
  const both = ['room', 'staff:room']
  for (const room of both) await client.subscribe(room)
  isLossy = true
  for (const room of both) sender.send({ publish: { channel: room, data: 'lost' } })
  for (const room of both)
    await until('it is handled', async () => (await cluster.store.channels(slotOf(room), [room]))[0]!.top === 1)
  isLossy = false
  await until('both are told', () => client.unsubscribed.length === 2)
  t.same(
    client.unsubscribed.toSorted((a, b) => (a.channel < b.channel ? -1 : 1)),
    both.map((channel) => ({ channel, code: unsubscribes.insufficient.code })),
  )
})

t.test('a dead proxy is forgotten by the slots of every group', async (t) => {
  await using cluster = new InProcessCluster(settings)
  await start(cluster)
  const [dead, alive] = [await cluster.proxy(), await cluster.proxy()]
  const [lost, stays] = [await cluster.client(dead), await cluster.client(alive)]
  for (const room of rooms) {
    await lost.subscribe(room)
    await stays.subscribe(room)
  }
  t.match(rowsOf(cluster, dead.id), { interest: rooms.length })
  dead.kill()
  await until('every slot has forgotten it', () => rowsOf(cluster, dead.id).tombstones === slotsInAll)
  t.same(rowsOf(cluster, dead.id), { interest: 0, producers: 0, tombstones: slotsInAll })
  await until('it is gone', async () => !(await cluster.store.instances()).some(({ id }) => id === dead.id))
  for (const room of rooms) t.notOk((await stays.publish(room, 1)).error)
})

t.test('a namespace elsewhere than it was is refused at start', async (t) => {
  await using cluster = new InProcessCluster(settings)
  await start(cluster)
  const elsewhere = testConfig({ ...settings, 'topics.groups': '[]' })
  const refused = {
    code: 'damaged',
    message: /namespace staff in the group default, but it belongs to inner for good.*: put it into/,
  }
  const { env } = cluster.handles()
  const controller = buildController(env, elsewhere, { ended: () => {} })
  await t.rejects(controller.start(), refused)
  controller.kill()
  const worker = buildWorker(env, elsewhere, {})
  await t.rejects(worker.join(), refused)
  worker.kill()
})

t.test('a proxy that has a namespace elsewhere takes no clients and says why', async (t) => {
  await using cluster = new InProcessCluster(settings)
  await start(cluster)
  const elsewhere = testConfig({ ...settings, 'topics.groups': '[]' })
  const { env } = cluster.handles()
  const proxy = buildProxy(env, elsewhere)
  await proxy.start()
  t.match(proxy.ready, /namespace staff in the group default, but it belongs to inner for good/)
  t.equal(proxy.serving, proxy.ready)
  t.equal((await env.metrics.namespacesContradicted.get()).values[0]!.value, 1)
  proxy.kill()
  t.equal((await cluster.proxy()).ready, true)
})

t.test('a proxy that hears of it later turns unready', async (t) => {
  await using cluster = new InProcessCluster(settings)
  const elsewhere = testConfig({ ...settings, 'topics.groups': '[]' })
  const { env } = cluster.handles()
  const proxy = buildProxy(env, elsewhere)
  await proxy.start()
  t.equal(proxy.ready, true, 'no controller has ever been there')
  await cluster.controller()
  await until('it hears it', () => proxy.ready !== true)
  t.match(proxy.ready, /namespace staff/)
  proxy.kill()
})
