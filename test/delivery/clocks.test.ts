// Proves that what the time of day is set to changes nothing about who owns what and who gets what: clocks that are a day
// apart, a store whose clock jumps while the controller dies, and what is measured between two clocks.
import t from 'tap'
import { systemClock } from '../../platform/clock.ts'
import { disconnects } from '../../protocol/client/codes.ts'
import { Client } from '../harness/clients/client.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { secret, tokenFor } from '../harness/tokens.ts'
import { until } from '../support/until.ts'

const dayMs = 86_400_000

/** Handles of a process whose clock on the wall is ahead of the right time by so much. */
function ahead(cluster: InProcessCluster, ms: number) {
  const handles = cluster.handles()
  handles.env.clock = { ...systemClock, now: () => systemClock.now() + ms }
  return handles
}

const sumOf = async (metric: { get(): Promise<{ values: { metricName?: string; value: number }[] }> }) =>
  (await metric.get()).values.filter(({ metricName }) => metricName?.endsWith('_sum')).map(({ value }) => value)

t.test('clocks a day apart: a hand-over is measured as long as it takes at most', async (t) => {
  for (const apartMs of [dayMs, -dayMs]) {
    await using cluster = new InProcessCluster()
    const startedAt = systemClock.monotonic()
    const controller = await cluster.controller()
    const owner = await cluster.worker()
    await cluster.owned([owner])
    const next = await cluster.worker({ handles: ahead(cluster, apartMs) })
    await until('it is known', () => controller.members.workers().length === 2)
    controller.drain(owner.id)
    await cluster.owned([next])
    await until('all moves are told', () => (controller.drains.pausesOf(owner.id)?.length ?? 0) > 0)
    const tookMs = systemClock.monotonic() - startedAt
    const pauses = controller.drains.pausesOf(owner.id)!
    t.ok(
      pauses.every((ms) => ms >= 0 && ms <= tookMs),
      `${apartMs} ms apart: ${pauses.join()}`,
    )
  }
})

t.test('messages through proxies a day apart reach all, and no delay is below nothing', async (t) => {
  await using cluster = new InProcessCluster()
  await cluster.controller()
  await cluster.worker()
  await cluster.owned()
  const handles = [ahead(cluster, dayMs), ahead(cluster, -dayMs)]
  const clients = []
  for (const each of handles) clients.push(await cluster.client(await cluster.proxy({ handles: each })))
  for (const client of clients) await client.subscribe('room')
  for (const text of ['a', 'b', 'c', 'd']) {
    for (const client of clients) t.notOk((await client.publish('room', text)).error)
  }
  for (const client of clients) {
    await until('all is here', () => client.dataOf('room').length === 8)
    const offsets = client.received.get('room')!.map(({ offset }) => offset)
    t.same(offsets, [1, 2, 3, 4, 5, 6, 7, 8])
  }
  for (const { env } of handles) {
    const sums = await sumOf(env.metrics.fanOutDelay)
    t.ok(sums.length > 0 && sums.every((sum) => sum >= 0))
  }
})

t.test('a session lasts as long as its token said, however the clock is set since', async (t) => {
  for (const jumpMs of [dayMs, -dayMs]) {
    await using cluster = new InProcessCluster({
      'client.insecure': 'false',
      'client.token.hmac_secret_key': secret,
      'client.expired_close_delay': '0s',
      'client.ping_interval': '10m',
    })
    await cluster.controller()
    await cluster.worker()
    const handles = cluster.handles()
    const [set, passed] = [{ ms: 0 }, { ms: 0 }]
    const now = () => systemClock.now() + passed.ms + set.ms
    handles.env.clock = { ...systemClock, now, monotonic: () => systemClock.monotonic() + passed.ms }
    const proxy = await cluster.proxy({ handles })
    const client = new Client(proxy)
    t.match(await client.command({ connect: { token: await tokenFor('ada', { expiresIn: 60 }) } }), {
      connect: { expires: true, ttl: 60 },
    })
    set.ms = jumpMs
    passed.ms = 50_000
    proxy.sessions.sweep()
    t.equal(client.closed, null, `${jumpMs} ms: not before`)
    passed.ms = 70_000
    proxy.sessions.sweep()
    t.match(client.closed, { code: disconnects.expired.code }, 'and then')
  }
})

for (const jumpMs of [-dayMs, -3_600_000, dayMs]) {
  t.test(`the store's clock is set by ${jumpMs} ms, the controller dies, then a worker`, async (t) => {
    await using cluster = new InProcessCluster()
    const first = await cluster.controller()
    const [a, b] = [await cluster.worker(), await cluster.worker()]
    const client = await cluster.client(await cluster.proxy())
    await cluster.owned([a, b])
    cluster.storeAheadMs = jumpMs
    first.kill()
    const second = await cluster.controller()
    a.kill()
    await cluster.owned([b])
    t.ok(second.isLeader)
    t.notOk((await client.publish('room', 'x')).error)
  })
}

t.test('data that was written a day ahead: the cluster is ready all the same', async (t) => {
  await using cluster = new InProcessCluster()
  cluster.storeAheadMs = dayMs
  const before = await cluster.controller()
  await until('it leads', () => before.isLeader)
  before.kill()
  cluster.storeAheadMs = 0
  const controller = await cluster.controller()
  const worker = await cluster.worker()
  await cluster.owned([worker])
  t.ok(controller.isLeader)
})
