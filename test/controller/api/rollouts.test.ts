/** Rollouts over the API, with a whole cluster in one process: what is shown, what is refused, what is noted. */
import t from 'tap'
import type { AuditView } from '../../../cli/client/client.ts'
import { buildApi } from '../../../controller/api/api.ts'
import type { RolloutReport } from '../../../controller/rollouts/report.ts'
import type { RolloutView } from '../../../controller/rollouts/view.ts'
import { InProcessCluster } from '../../harness/in-process-cluster.ts'
import { until } from '../../support/until.ts'

const options = { tokens: { write: 'w', read: 'r' }, hosts: [], workersWanted: 1 }

const resource = (canaryService: string, steps: object[] = [{ setWeight: 50 }, { pause: {} }]) => ({
  apiVersion: 'holdfast.dev/v1',
  kind: 'Rollout',
  metadata: { name: 'chat' },
  spec: { strategy: { canary: { canaryService, steps, analysis: { templates: [] } } } },
})

async function stage() {
  const cluster = new InProcessCluster()
  const handles = cluster.handles()
  const controller = await cluster.controller(handles)
  const api = buildApi(controller, handles.env, options)
  const ask = async (method: 'GET' | 'POST', url: string, payload?: object, token = 'w') => {
    const headers = { authorization: `Bearer ${token}`, 'holdfast-caller': 'ada' }
    const answer = await api.inject({ method, url: `/api/v1/${url}`, headers, ...(payload && { payload }) })
    return { status: answer.statusCode, body: answer.json() as unknown }
  }
  const rollout = async () => (await ask('GET', 'rollouts/chat')).body as RolloutView
  const reason = (wanted: string) => until(wanted, async () => (await rollout()).reason === wanted)
  const apply = (wanted: object) => ask('POST', 'resources', { resources: [wanted] })
  return { cluster, controller, ask, rollout, reason, apply }
}

void t.test('a rollout from the first command to its report', async (t) => {
  const { cluster, controller, ask, rollout, reason, apply } = await stage()
  await using _ = cluster
  const a = await cluster.worker({ version: 'v1' })
  await cluster.owned([a])
  const b = await cluster.worker({ version: 'v2' })
  t.same((await ask('GET', 'rollouts')).body, [])
  t.match(await ask('GET', 'rollouts/chat'), { status: 404, body: { code: 'unknown_rollout' } })
  t.match(await ask('GET', 'rollouts/chat/report'), { status: 404, body: { code: 'no_report' } })

  t.equal((await apply(resource('v2'))).status, 200)
  await reason('CanaryPauseStep')
  t.match(await rollout(), {
    phase: 'Paused',
    stable: 'v1',
    canary: 'v2',
    weights: { desired: { v1: 50, v2: 50 }, actual: { v1: 50, v2: 50 } },
    step: 1,
    workers: { v1: 1, v2: 1 },
  })
  t.same((await ask('GET', 'versions')).body, [
    { version: 'v1', wanted: true, workers: 1, slots: 2 },
    { version: 'v2', wanted: true, workers: 1, slots: 2 },
  ])
  t.match(await apply(resource('v2')), { body: { outcomes: [{ outcome: 'unchanged' }] } })
  t.match(await apply(resource('v3')), { status: 422, body: { message: /rollout abort chat/ } })

  t.match(await ask('POST', 'rollouts/chat/promote', {}, 'r'), { status: 403, body: { code: 'read_only' } })
  t.equal((await ask('POST', 'rollouts/chat/fly', {})).status, 400)
  t.equal((await ask('POST', 'rollouts/chat/promote', { full: 'yes' })).status, 400)
  t.match(await ask('POST', 'rollouts/chat/retry'), { status: 409, body: { code: 'rollout_refused' } })
  t.equal((await ask('POST', 'rollouts/chat/promote')).status, 200)
  await reason('RolloutHealthy')
  await cluster.owned([b])
  t.equal(await cluster.store.servingVersion(), 'v2')

  const [report] = (await ask('GET', 'rollouts/chat/report')).body as RolloutReport[]
  t.match(report, { outcome: 'promoted', from: 'v1', to: 'v2' })
  t.ok(report!.slotsMoved >= 4, 'all of them, and what a busy machine took for dead meanwhile')
  const [note] = (await ask('GET', 'audit')).body as AuditView[]
  t.match(note, { who: 'write:ada', what: 'rollout promote', target: 'Rollout/chat' })
  const told = controller.events.kept.filter(({ type }) => type === 'rollout').map(({ data }) => data)
  t.match(told.at(-1), { name: 'chat', canary: 'v2', reason: 'RolloutCompleted', had: 100 })
  t.ok(told.some(({ who }) => who === 'write:ada'))
})

void t.test('another controller takes a rollout up where it is', async (t) => {
  const first = await stage()
  const { cluster } = first
  await using _ = cluster
  const a = await cluster.worker({ version: 'v1' })
  await cluster.owned([a])
  const b = await cluster.worker({ version: 'v2' })
  await first.apply(resource('v2', [{ setWeight: 25 }, { pause: {} }]))
  await first.reason('CanaryPauseStep')
  const second = await cluster.controller()
  first.controller.kill()
  await until('the second leads and knows it', () => {
    const [view] = second.rollouts.views()
    return view?.phase === 'Paused'
  })
  t.match(second.rollouts.view('chat'), { step: 1, weights: { actual: { v1: 75, v2: 25 } } })
  await second.rollouts.order('chat', { type: 'promote', full: true }, 'ada', async ({ writes }) => {
    await cluster.store.putDocuments({ writes, term: second.term, audit: null })
  })
  await cluster.owned([b])
  await until('it is over', () => second.rollouts.view('chat').phase === 'Healthy')
})
