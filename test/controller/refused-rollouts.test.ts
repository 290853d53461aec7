/**
 * Proves that a Rollout whose canary could get no slots is refused when it is applied, with the reason, and that its
 * workers get none meanwhile: here because a proxy neither reads what they write nor writes what they read.
 */
import t from 'tap'
import { buildApi } from '../../controller/api/api.ts'
import type { ProxyBeat } from '../../protocol/records/heartbeat.ts'
import { encodeStatus } from '../../protocol/records/status.ts'
import { heartbeatTopic, statusTopic } from '../../protocol/records/topics.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'

const newerProxy: ProxyBeat = {
  type: 'heartbeat',
  role: 'proxy',
  id: 'p-newer',
  pid: 1,
  version: 'v2',
  internal: { host: '127.0.0.1', port: 1 },
  beat: 1,
  state: 'live',
  clients: null,
  generation: 1,
  sessions: 0,
  inboxOffset: 0,
  formats: { records: { min: 2, max: 2 } },
}
const reason = 'v2 does not read the records of a proxy'
const rollout = {
  apiVersion: 'holdfast.dev/v1',
  kind: 'Rollout',
  metadata: { name: 'chat' },
  spec: { strategy: { canary: { canaryService: 'v2' } } },
}

void t.test('a canary that the proxies do not go with', async (t) => {
  await using cluster = new InProcessCluster({ 'controller.death_time': '10m' })
  const handles = cluster.handles()
  const controller = await cluster.controller(handles)
  const stable = await cluster.worker({ version: 'v1' })
  await cluster.owned([stable])
  await cluster.proxy()
  await until('it says what it reads', () =>
    controller.members.proxies().some(({ beat }) => beat.formats !== undefined),
  )
  await cluster.worker({ version: 'v2' })
  cluster.logData.append(heartbeatTopic, 0, [{ key: null, value: encodeStatus(newerProxy) }])
  await until('the canary does not fit', () => controller.unable.unfit.get('v2') === reason)
  t.notOk(controller.unable.unfit.has('v1'), 'what serves goes on')

  const api = buildApi(controller, handles.env, { tokens: { write: 'w', read: 'r' }, hosts: [], workersWanted: 1 })
  const apply = async () => {
    const headers = { authorization: 'Bearer w', host: '127.0.0.1' }
    const payload = { resources: [rollout] }
    const { statusCode, json } = await api.inject({ method: 'POST', url: '/api/v1/resources', headers, payload })
    return { status: statusCode, body: json() as unknown }
  }
  t.match(await apply(), {
    status: 422,
    body: { code: 'invalid_resource', message: `HFT0405 Rollout/chat: ${reason}` },
  })
  t.same(await cluster.store.documents('Rollout'), [])
  t.ok((await cluster.store.leases()).every(({ owner }) => owner === stable.id))

  const left = encodeStatus({ type: 'left', role: 'proxy', id: newerProxy.id })
  cluster.logData.append(statusTopic, 0, [{ key: null, value: left }])
  await until('it fits', () => controller.unable.unfit.size === 0)
  t.match(await apply(), { status: 200, body: { outcomes: [{ outcome: 'created' }] } })
})
