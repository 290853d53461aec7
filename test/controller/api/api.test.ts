/**
 * Proves that the controller's API tells what is there, refuses with a code whoever has no token or asks for what
 * cannot be, and leaves service discovery open to Prometheus.
 */
import t from 'tap'
import type { AuditView } from '../../../cli/client/client.ts'
import { buildApi } from '../../../controller/api/api.ts'
import { InProcessCluster } from '../../harness/in-process-cluster.ts'
import { until } from '../../support/until.ts'

const options = { tokens: { write: 'a token', read: 'a read token' }, hosts: ['controller'], workersWanted: 1 }

void t.test('the API', async (t) => {
  await using cluster = new InProcessCluster()
  const handles = cluster.handles()
  const controller = await cluster.controller(handles)
  const [a, b] = [await cluster.worker(), await cluster.worker()]
  const proxy = await cluster.proxy()
  await cluster.owned([a, b])
  await until('the proxy is known', () => controller.liveProxies().length === 1)
  const api = buildApi(controller, handles.env, options)
  const ask = async (method: 'GET' | 'POST', url: string, payload?: object, token = 'a token') => {
    const headers = { authorization: `Bearer ${token}` }
    const { statusCode, json } = await api.inject({ method, url, headers, ...(payload && { payload }) })
    return { status: statusCode, body: json() as unknown }
  }

  await t.test('needs the token', async (t) => {
    for (const token of ['', 'another', 'a token ', 'a toke']) {
      const { status, body } = await ask('GET', '/api/v1/workers', undefined, token)
      t.equal(status, 401)
      t.match(body, { code: 'unauthorized' })
    }
    t.equal((await api.inject('/api/v1/prometheus/targets')).statusCode, 200)
    t.match((await api.inject('/')).body, /controller of a Holdfast cluster/)
    t.match((await ask('GET', '/nothing')).body, { code: 'not_found' })
  })

  await t.test('the read token looks and changes nothing', async (t) => {
    t.equal((await ask('GET', '/api/v1/workers', undefined, 'a read token')).status, 200)
    const refused = { status: 403, body: { code: 'read_only' } }
    t.match(await ask('POST', `/api/v1/workers/${a.id}/drain`, {}, 'a read token'), refused)
    t.match(await ask('POST', '/api/v1/slots/reset', { slot: 'default/0', to: 'end' }, 'a read token'), refused)
    t.same((await ask('GET', '/api/v1/audit')).body, [], 'and nothing was changed')
  })

  await t.test('is called by its own names alone, the public paths too', async (t) => {
    for (const path of ['/', '/api/v1/prometheus/targets', '/api/v1/workers']) {
      const headers = { host: 'evil.example', authorization: 'Bearer a token' }
      t.match((await api.inject({ url: path, headers })).json(), { code: 'foreign_host' })
    }
    const { statusCode } = await api.inject({ url: '/', headers: { host: 'controller:8080' } })
    t.equal(statusCode, 200)
  })

  await t.test('lists what lives, sorted', async (t) => {
    const { body } = await ask('GET', '/api/v1/workers')
    const ids = (body as { id: string }[]).map(({ id }) => id)
    t.same(ids, [a.id, b.id].sort())
    t.match((await ask('GET', '/api/v1/proxies')).body, [{ id: proxy.id, generation: 1, state: 'live', sessions: 0 }])
    const slots = (await ask('GET', '/api/v1/slots')).body as { slot: string; lag: number }[]
    t.same(
      slots.map(({ slot, lag }) => [slot, lag]),
      [0, 1, 2, 3].map((partition) => [`default/${partition}`, 0]),
    )
    const targets = (await ask('GET', '/api/v1/prometheus/targets')).body as { labels: { role: string } }[]
    t.same(targets.map(({ labels }) => labels.role).sort(), ['controller', 'proxy', 'worker', 'worker'])
  })

  await t.test('says whether the cluster is ready, and what it waits for', async (t) => {
    t.match((await ask('GET', '/api/v1/status')).body, { ready: true, waits_for: null, leader: true })
    const standby = await cluster.controller()
    await until('it knows who leads', () => standby.holder !== null)
    const other = buildApi(standby, handles.env, options)
    const { json } = await other.inject({ url: '/api/v1/status', headers: { authorization: 'Bearer a token' } })
    const waitsFor = new RegExp(`controller ${controller.id}, which leads for [0-9]+ ms more`)
    t.match(json(), { ready: false, waits_for: waitsFor, leader: false })
    const drain = await other.inject({
      method: 'POST',
      url: `/api/v1/workers/${a.id}/drain`,
      headers: { authorization: 'Bearer a token' },
    })
    t.equal(drain.statusCode, 503)
    t.match(drain.json(), { code: 'not_leading', message: new RegExp(`controller ${controller.id} leads`) })
    standby.kill()
  })

  await t.test('refuses what cannot be, with a code', async (t) => {
    t.match(await ask('POST', '/api/v1/workers/w-none/drain', {}), { status: 404, body: { code: 'unknown_worker' } })
    t.match(await ask('GET', `/api/v1/workers/${a.id}/drain`), { status: 404, body: { code: 'no_drain' } })
    t.match(await ask('POST', `/api/v1/workers/${a.id}/drain`, { force: 1 }), { status: 400 })
    t.match(await ask('POST', '/api/v1/slots/reset', { slot: 'default/99', to: 'end' }), {
      status: 404,
      body: { code: 'unknown_slot' },
    })
    t.match(await ask('POST', '/api/v1/slots/reset', { slot: 'default/0', to: 7 }), {
      status: 422,
      body: { code: 'out_of_range' },
    })
  })

  await t.test('shows how slots are shared among versions', async (t) => {
    const versions = [{ version: 'v1', desired: 100, slots: 4, slots_percent: 100 }]
    const body = [{ group: 'default', weight_by: 'slots', slots: 4, quantum: 25, moving: 0, versions }]
    t.match(await ask('GET', '/api/v1/traffic'), { status: 200, body })
  })

  await t.test('drains no version that nobody would follow', async (t) => {
    t.match(await ask('POST', '/api/v1/versions/v9/drain', {}), { status: 404, body: { code: 'unknown_version' } })
    t.match(await ask('GET', '/api/v1/versions/v1/drain'), { status: 404, body: { code: 'no_drain' } })
    t.match(await ask('POST', '/api/v1/versions/v1/drain', {}), { status: 409, body: { code: 'last_worker' } })
  })

  await t.test('the last worker is drained only by force', async (t) => {
    t.match(await ask('POST', `/api/v1/workers/${a.id}/drain`, {}), { status: 202 })
    await until('A is drained', async () => {
      const { body } = await ask('GET', `/api/v1/workers/${a.id}/drain`)
      return (body as { state: string }).state === 'drained'
    })
    t.match(await ask('POST', `/api/v1/workers/${b.id}/drain`, {}), { status: 409, body: { code: 'last_worker' } })
    t.match(await ask('POST', `/api/v1/workers/${b.id}/drain`, { force: true }), { status: 202 })
    t.match(await ask('POST', '/api/v1/slots/reset', { slot: 'default/0', to: 'end' }), { status: 200 })
    await until('nobody owns anything', async () => (await cluster.store.leases()).every(({ owner }) => owner === null))
  })
  await t.test('tells who changed what, newest first', async (t) => {
    const headers = { authorization: 'Bearer a token', 'holdfast-caller': 'ada\u00a0@desk' }
    await api.inject({ method: 'POST', url: '/api/v1/slots/reset', headers, payload: { slot: 'default/1', to: 'end' } })
    const entries = (await ask('GET', '/api/v1/audit', undefined, 'a read token')).body as AuditView[]
    t.match(entries, [
      { who: 'write:ada @desk', what: 'reset slot', target: 'default/1', after: { next_offset: 0, to: 'end' } },
      { who: 'write', what: 'reset slot', target: 'default/0', before: { next_offset: 0 } },
      { who: 'write', what: 'drain worker', target: b.id, after: { state: 'draining', force: true } },
      { who: 'write', what: 'drain worker', target: a.id, before: { state: 'live', slots: 2 } },
    ])
    t.equal(entries.length, 4, 'what was refused is not there')
    const [newest] = entries
    const older = (await ask('GET', `/api/v1/audit?limit=2&before=${newest?.id}`)).body
    t.same(older, entries.slice(1, 3))
    for (const query of ['limit=x', 'limit=-1', 'before=1e3', 'other=1'])
      t.equal((await ask('GET', `/api/v1/audit?${query}`)).status, 400, query)
  })
})

void t.test('a version is drained to its end: another one has its slots by then', async (t) => {
  await using cluster = new InProcessCluster()
  const handles = cluster.handles()
  const controller = await cluster.controller(handles)
  const old = [await cluster.worker(), await cluster.worker()]
  await cluster.owned(old)
  const next = await cluster.worker({ version: 'v2' })
  await until('the other version is known', () => controller.members.workers().length === 3)
  const api = buildApi(controller, handles.env, options)
  const url = '/api/v1/versions/v1/drain'
  const headers = { authorization: 'Bearer a token' }
  t.equal((await api.inject({ method: 'POST', url, headers, payload: {} })).statusCode, 202)
  await until('it is drained', async () => {
    const state = (await api.inject({ url, headers })).json<Record<string, unknown>>()
    if (state['state'] !== 'drained') return false
    t.match(state, { workers: 0, slots: 0, in_flight: 0, outbox: 0 })
    return true
  })
  const leases = await cluster.store.leases()
  t.ok(leases.every(({ owner }) => owner === next.id))
})
