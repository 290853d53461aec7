// Proves that the control plane may come and go: a controller that starts anew adopts what it finds and moves nothing,
// of two one leads and the other takes over, and traffic flows on without any. A second version gets slots only when
// no worker of the serving one lives. Workers that follow a higher term than store and log know are heard.
import t from 'tap'
import { leaderMs } from '../../controller/leading/leadership.ts'
import type { OpenWire } from '../../platform/alive.ts'
import { encodeControl } from '../../protocol/records/control.ts'
import { controlTopic } from '../../protocol/records/topics.ts'
import { newestBeat } from '../harness/by-hand.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'

const owners = async (cluster: InProcessCluster) =>
  (await cluster.store.leases()).map(({ slot, owner, epoch }) => ({ slot, owner, epoch }))

t.test('killed and started again', async (t) => {
  await using cluster = new InProcessCluster()
  const first = await cluster.controller()
  await Promise.all([cluster.worker(), cluster.worker()])
  const client = await cluster.client(await cluster.proxy())
  await cluster.owned()
  await until('balanced', async () => new Set((await owners(cluster)).map(({ owner }) => owner)).size === 2)
  await until('at rest', () => first.ownedSlots === 4)
  const before = await owners(cluster)
  first.kill()
  t.notOk((await client.publish('room', 'without a controller')).error)
  const second = await cluster.controller()
  await until('the new one leads and sees all', () => second.isLeader && second.ownedSlots === 4)
  await until('it has heard of the proxy', () => second.members.proxies().length === 1)
  t.same(await owners(cluster), before, 'nothing moved')
  t.notOk((await client.publish('room', 'with another')).error)
  t.equal(client.closed, null)
})

t.test('two at a time', async (t) => {
  await using cluster = new InProcessCluster()
  const [a, b] = [await cluster.controller(), await cluster.controller()]
  await until('one leads', () => a.isLeader || b.isLeader)
  const [leader, other] = a.isLeader ? [a, b] : [b, a]
  t.notOk(other.isLeader)
  const worker = await cluster.worker()
  await cluster.owned([worker])
  t.notOk(other.isLeader, 'and goes on leading alone')
  const before = await cluster.store.lead('somebody else', leaderMs.ttl)
  t.equal(before.leader, leader.id)
  leader.kill()
  worker.kill()
  const next = await cluster.worker()
  await cluster.owned([next])
  t.ok(other.isLeader)
  const records = cluster.logData
    .read('holdfast.control', 0, 0)
    .map(({ value }) => JSON.parse(value.toString()) as { term: number; to: string })
  t.ok(
    records.every(({ to, term }) => to !== next.id || term > before.term),
    'under a term of its own',
  )
})

t.test('a second version', async (t) => {
  await using cluster = new InProcessCluster()
  const controller = await cluster.controller()
  const serving = await cluster.worker({ version: 'v1' })
  await cluster.owned([serving])
  t.equal(await cluster.store.servingVersion(), 'v1')
  const candidate = await cluster.worker({ version: 'v2' })
  await until('it is known', () => controller.members.workers().length === 2)
  const another = await cluster.worker({ version: 'v1' })
  await until('slots move to the serving version', async () =>
    (await owners(cluster)).some(({ owner }) => owner === another.id),
  )
  t.notOk((await owners(cluster)).some(({ owner }) => owner === candidate.id))
  serving.kill()
  await cluster.owned([another])
  another.kill()
  await cluster.owned([candidate])
  t.equal(await cluster.store.servingVersion(), 'v2')
  const late = await cluster.worker({ version: 'v1' })
  await until('it is known', () => controller.members.workers().some(({ beat }) => beat.id === late.id))
  const more = await cluster.worker({ version: 'v2' })
  await until('the version that serves now shares', async () =>
    (await owners(cluster)).some(({ owner }) => owner === more.id),
  )
  t.notOk((await owners(cluster)).some(({ owner }) => owner === late.id))
})

t.test('workers follow a term that neither store nor log know any more', async (t) => {
  await using cluster = new InProcessCluster()
  const worker = await cluster.worker()
  const term = Date.now() + 86_400_000
  const drain = encodeControl({ type: 'drain', term, worker: 'somebody else' })
  cluster.logData.append(controlTopic, 0, [{ key: null, value: drain }])
  await until('it follows that', () => newestBeat(cluster, worker).term === term)
  cluster.logData.trim(controlTopic, 0, cluster.logData.range(controlTopic, 0).next)
  await cluster.controller()
  await cluster.owned([worker])
  t.ok((await cluster.store.lead('somebody else', leaderMs.ttl)).term > term)
})

t.test('a worker whose process has ended is not waited for', async (t) => {
  await using cluster = new InProcessCluster({ 'controller.death_time': '10m' })
  const ends = new Map<string, () => void>()
  const openWire: OpenWire = ({ host }, gone) => {
    ends.set(host, gone)
    return { close: () => ends.delete(host) }
  }
  const controller = await cluster.controller(cluster.handles(), openWire)
  const at = (host: string) => cluster.worker({ internal: { host, port: 1 } })
  const [a, b] = [await at('a'), await at('b')]
  await cluster.owned([a, b])
  await until('both have slots', async () => new Set((await owners(cluster)).map(({ owner }) => owner)).size === 2)
  a.kill()
  ends.get('a')!()
  await cluster.owned([b])
  t.same(
    controller.members.workers().map(({ beat }) => beat.id),
    [b.id],
  )
  t.ok(controller.events.kept.some(({ type, data }) => type === 'died' && data['id'] === a.id))

  // It lives all the same: it loses its slots, and is known again by its heartbeats.
  const c = await at('c')
  await until('the third has slots', async () => (await owners(cluster)).some(({ owner }) => owner === c.id))
  ends.get('c')!()
  await cluster.owned([b])
  await until('the third is heard of again', () => controller.members.workers().length === 2)
  await until('and has slots again', async () => (await owners(cluster)).some(({ owner }) => owner === c.id))
})
