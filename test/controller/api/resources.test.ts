/** Resources over the API: checked, applied and deleted together or not at all, with their history and who did it. */
import t from 'tap'
import { buildApi } from '../../../controller/api/api.ts'
import { InProcessCluster } from '../../harness/in-process-cluster.ts'
import { says, servePrometheus } from '../../support/prometheus-server.ts'

const rule = (version: string) => ({
  apiVersion: 'holdfast.dev/v1',
  kind: 'DestinationRule',
  metadata: { name: 'workers' },
  spec: { host: 'chat-worker', subsets: [{ name: 'canary', labels: { version } }] },
})
const template = {
  apiVersion: 'holdfast.dev/v1',
  kind: 'AnalysisTemplate',
  metadata: { name: 'errors' },
  spec: { metrics: [{ name: 'm', provider: { counters: { judge: 'errors' } } }] },
}
const rollout = (canaryService: string) => ({
  apiVersion: 'holdfast.dev/v1',
  kind: 'Rollout',
  metadata: { name: 'chat' },
  spec: {
    paused: true,
    strategy: { canary: { canaryService, analysis: { templates: [{ templateName: 'errors' }] } } },
  },
})

void t.test('resources', async (t) => {
  await using cluster = new InProcessCluster()
  const handles = cluster.handles()
  const controller = await cluster.controller(handles)
  await cluster.owned([await cluster.worker()])
  const tokens = { write: 'a token', read: 'another' }
  const api = buildApi(controller, handles.env, { tokens, hosts: [], workersWanted: 1 })
  const ask = async (method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object, token = 'a token') => {
    const headers = { authorization: `Bearer ${token}`, host: '127.0.0.1', 'holdfast-caller': 'ann' }
    const url = `/api/v1/${path}`
    const { statusCode, json } = await api.inject({ method, url, headers, ...(payload && { payload }) })
    return { status: statusCode, body: json() as unknown }
  }
  const apply = (...resources: object[]) => ask('POST', 'resources', { resources })

  await t.test('are applied together or not at all', async (t) => {
    const wrong = await apply(rule('v1'), rollout('other'), template)
    t.match(wrong, { status: 422, body: { code: 'invalid_resource', message: /HFT0104 Rollout\/chat/ } })
    t.match(await ask('GET', 'resources/dr'), { status: 200, body: [] })
    t.match(await apply(rule('v1'), rollout('canary'), template), {
      status: 200,
      body: { outcomes: [{ outcome: 'created' }, { outcome: 'created' }, { outcome: 'created' }] },
    })
    t.match(await apply(rule('v1')), { body: { outcomes: [{ outcome: 'unchanged' }] } })
    t.match(await apply(rule('v2')), { body: { outcomes: [{ outcome: 'configured' }] } })
  })

  await t.test('are validated without being applied, by who may only read too', async (t) => {
    const resources = [rule('v3'), { ...rollout('canary'), spec: {} }]
    const { status, body } = await ask('POST', 'resources/validate', { resources }, 'another')
    t.equal(status, 200)
    t.match(body, { outcomes: [{ outcome: 'configured' }], findings: [{ code: 'HFT0005', path: 'spec.strategy' }] })
    t.match(await ask('GET', 'resources/DestinationRule/workers'), { body: { revision: 2 } })
    t.match(await ask('POST', 'resources', { resources }, 'another'), { status: 403, body: { code: 'read_only' } })
  })

  await t.test('are shown as they were written, with findings and history', async (t) => {
    t.match(await ask('GET', 'resources/rollouts'), {
      body: [{ kind: 'Rollout', name: 'chat', resource: rollout('canary') }],
    })
    t.match(await ask('GET', 'resources/rollout/chat'), {
      body: { findings: [{ code: 'HFT0101', severity: 'warning' }] },
    })
    t.match(await ask('GET', 'resources/dr/workers/history'), {
      body: [
        { revision: 2, resource: rule('v2') },
        { revision: 1, resource: rule('v1') },
      ],
    })
    t.match(await ask('GET', 'resources/pods'), { status: 404, body: { code: 'unknown_kind' } })
    t.match(await ask('GET', 'resources/vs/none'), { status: 404, body: { code: 'unknown_resource' } })
    t.match(await ask('GET', 'resources/vs/none/history'), { status: 404, body: { code: 'unknown_resource' } })
  })

  await t.test('are deleted unless another one needs them', async (t) => {
    const needed = await ask('DELETE', 'resources/analysistemplate/errors')
    t.match(needed, { status: 422, body: { message: /HFT0404 AnalysisTemplate\/errors: Rollout\/chat needs it/ } })
    const names = [
      { kind: 'rollout', name: 'chat' },
      { kind: 'AnalysisTemplate', name: 'errors' },
    ]
    t.match(await ask('POST', 'resources/delete', { names }), {
      body: { outcomes: [{ outcome: 'deleted' }, { outcome: 'deleted' }] },
    })
    t.match(await ask('DELETE', 'resources/rollout/chat'), { status: 404, body: { code: 'unknown_resource' } })
    t.match(await ask('GET', 'resources/rollout/chat/history'), {
      body: [{ revision: 2, resource: null }, { revision: 1 }],
    })
  })

  await t.test('leave an entry of who changed them', async (t) => {
    const { body } = await ask('GET', 'audit')
    t.match(body, [
      { who: 'write:ann', what: 'delete', before: { 'Rollout/chat': rollout('canary') }, after: null },
      {
        who: 'write:ann',
        what: 'apply',
        target: 'DestinationRule/workers',
        before: { 'DestinationRule/workers': rule('v1') },
      },
      { what: 'apply', before: null, after: { 'AnalysisTemplate/errors': template } },
    ])
  })

  await t.test("whose queries a Prometheus refuses are refused; one that is away stands in nobody's way", async (t) => {
    const refusing = await servePrometheus(t, says({ status: 'error', errorType: 'bad_data', error: 'no sum' }, 400))
    const asking = (address: string) => ({
      ...template,
      spec: {
        metrics: [{ name: 'm', failureCondition: 'result > 1', provider: { prometheus: { address, query: 'sum(' } } }],
      },
    })
    const validated = await ask('POST', 'resources/validate', { resources: [asking(refusing.address)] })
    const path = 'spec.metrics[0].provider.prometheus.query'
    t.match(validated, { status: 200, body: { findings: [{ code: 'HFT0305', severity: 'error', path }] } })
    t.match(await apply(asking(refusing.address)), {
      status: 422,
      body: { message: /HFT0305 AnalysisTemplate\/errors .*no sum/ },
    })
    t.match(await ask('GET', 'resources/analysistemplates'), { body: [] }, 'nothing was written')
    t.equal(refusing.asked(), 2)
    const away = asking('http://127.0.0.1:1')
    t.match(await apply(away), {
      status: 200,
      body: { outcomes: [{ outcome: 'created' }], findings: [{ code: 'HFT0306' }] },
    })
    t.match(await apply(away), { body: { outcomes: [{ outcome: 'unchanged' }], findings: [] } }, 'and not asked again')
    const read = await ask('POST', 'resources/validate', { resources: [asking(refusing.address)] }, 'another')
    t.match(read, { status: 200, body: { findings: [] } })
    t.equal(refusing.asked(), 2, 'who may only read sends the controller nowhere')
  })

  await t.test('that are too many, or no list, are refused', async (t) => {
    const many = Array.from({ length: 201 }, () => template)
    t.equal((await apply(...many)).status, 400)
    t.equal((await ask('POST', 'resources', { resources: {} })).status, 400)
    t.match(await apply(template, template), { status: 422, body: { message: /HFT0008/ } })
  })

  await t.test('are written by the leader alone', async (t) => {
    const standby = await cluster.controller()
    const other = buildApi(standby, handles.env, { tokens, hosts: [], workersWanted: 1 })
    const headers = { authorization: 'Bearer a token', host: '127.0.0.1' }
    const refused = await other.inject({
      method: 'POST',
      url: '/api/v1/resources',
      headers,
      payload: { resources: [template] },
    })
    t.match(refused.json(), { code: 'not_leading' })
    await t.rejects(standby.resources.apply([template], 'ann'), { code: 'not_leading' }, 'whatever it believes')
    standby.kill()
  })
})
