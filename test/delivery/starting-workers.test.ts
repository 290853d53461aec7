// Proves that a worker that loads its app is known and gets nothing, that it may be silent for longer than one that owns
// slots, and that one whose app cannot be loaded says why before it ends.
import t from 'tap'
import { chat } from '../../apps/chat/chat.ts'
import { decodeStatus } from '../../protocol/records/status.ts'
import { statusTopic } from '../../protocol/records/topics.ts'
import { failedLengthMax } from '../../worker/worker.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { buildWorker } from '../harness/roles.ts'
import { until } from '../support/until.ts'

t.test('it is known, gets nothing, and serves once it has its app', async (t) => {
  await using cluster = new InProcessCluster()
  const controller = await cluster.controller()
  const first = await cluster.worker()
  await cluster.owned([first])
  const worker = buildWorker(cluster.handles().env, cluster.config)
  await worker.join()
  await until('it is known', () => controller.members.starting().length === 1)
  t.equal(worker.ready, 'starting')
  t.same(
    controller.members.workers().map(({ beat }) => beat.id),
    [first.id],
  )
  t.ok((await cluster.store.leases()).every(({ owner }) => owner === first.id))
  worker.serve(chat)
  await until('it serves', async () => (await cluster.store.leases()).some(({ owner }) => owner === worker.id))
  t.same(controller.members.starting(), [])
  worker.kill()
})

t.test('one that is silent is waited for as long as a proxy is', async (t) => {
  await using cluster = new InProcessCluster({ 'controller.proxy_death_time': '2s' })
  const controller = await cluster.controller()
  const { death_time: deathMs, proxy_death_time: longMs } = cluster.config.controller
  const worker = buildWorker(cluster.handles().env, cluster.config)
  await worker.join()
  await until('it is known', () => controller.members.starting().length === 1)
  const silentAt = performance.now()
  worker.kill()
  await until('it is forgotten', () => controller.members.starting().length === 0)
  const tookMs = performance.now() - silentAt
  t.ok(tookMs > longMs - 2 * cluster.config.worker.heartbeat_interval, `${tookMs} ms, not ${deathMs}`)
})

t.test('one that cannot serve says why, in no more than a line', async (t) => {
  await using cluster = new InProcessCluster()
  const controller = await cluster.controller()
  const { env } = cluster.handles()
  const worker = buildWorker(env, cluster.config, { version: 'v2' })
  await worker.join()
  await until('it is known', () => controller.members.starting().length === 1)
  await worker.fail('no app'.padEnd(2 * failedLengthMax, '.'))
  await until('it is forgotten', () => controller.members.starting().length === 0)
  const { next } = await env.log.range(statusTopic, 0)
  const reader = env.log.read(statusTopic, 0, next - 1)
  const [last] = await reader.next()
  reader.close()
  const why = 'no app'.padEnd(failedLengthMax, '.')
  t.match(decodeStatus(last!.value), { type: 'left', id: worker.id, failed: { version: 'v2', why } })
})
