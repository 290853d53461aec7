/**
 * Proves how faults are set, told, acknowledged and ended: through the API, with an entry in the audit log, by the leader
 * alone, whoever leads after it; and that none is set where none belongs.
 */
import t from 'tap'
import { buildApi } from '../../../controller/api/api.ts'
import type { Controller } from '../../../controller/controller.ts'
import { InProcessCluster } from '../../harness/in-process-cluster.ts'
import type { Handles } from '../../harness/in-process-cluster.ts'
import { until } from '../../support/until.ts'

const delay = { percentage: { value: 100 }, fixedDelay: '20ms' }

interface Answer {
  status: number
  body: { code?: string; revision: number; faults: { name: string; left_ms: number | null }[]; processes: object[] }
}

function asking(controller: Controller, handles: Handles) {
  const api = buildApi(controller, handles.env, {
    tokens: { write: 'a token', read: '' },
    hosts: [],
    workersWanted: 1,
  })
  return async (method: 'GET' | 'PUT' | 'DELETE', path = '', payload?: object): Promise<Answer> => {
    const headers = { authorization: 'Bearer a token' }
    const answer = await api.inject({ method, url: `/api/v1/faults${path}`, headers, ...(payload && { payload }) })
    return { status: answer.statusCode, body: answer.json() as Answer['body'] }
  }
}

async function start(flags: Record<string, string> = {}, isDev = true) {
  const cluster = new InProcessCluster(flags)
  cluster.config.dev.active = isDev
  const handles = cluster.handles()
  const controller = await cluster.controller(handles)
  const [ofWorker, ofProxy] = [cluster.handles(), cluster.handles()]
  const worker = await cluster.worker({ handles: ofWorker })
  const proxy = await cluster.proxy({ handles: ofProxy })
  await cluster.owned()
  await until('the proxy is known', () => controller.liveProxies().length === 1)
  return { cluster, controller, handles, worker, proxy, ofWorker, ofProxy, ask: asking(controller, handles) }
}

const faultEvents = ({ events }: Controller) =>
  events.kept.flatMap(({ type, data }) => (type === 'fault' ? [data] : []))

void t.test('a fault that is set reaches every process, and each says so', async (t) => {
  const { cluster, controller, ask, worker, proxy, ofWorker, ofProxy } = await start()
  await using _ = cluster
  t.match((await ask('GET')).body, { enabled: true, revision: 0, faults: [] })
  const { status, body } = await ask('PUT', '/slow', { stage: 'db', delay, seed: 3 })
  t.equal(status, 200)
  await until('everybody has it', async () => {
    const { processes } = (await ask('GET')).body
    return processes.length === 2 && processes.every((each) => 'revision' in each && each.revision === body.revision)
  })
  t.same((await ask('GET')).body.processes, [
    { role: 'worker', id: worker.id, revision: body.revision, rejected: null },
    { role: 'proxy', id: proxy.id, revision: body.revision, rejected: null },
  ])
  t.ok(ofWorker.env.faults.isSet && ofProxy.env.faults.isSet)
  t.match((await ask('GET')).body.faults, [{ name: 'slow', stage: 'db', delay, seed: 3, left_ms: null }])

  t.match(await ask('DELETE', '/other'), { status: 404, body: { code: 'unknown_fault' } })
  await ask('PUT', '/more', { stage: 'db', delay })
  t.match(await ask('DELETE', '/slow'), { status: 200, body: { cleared: ['slow'] } })
  t.match(await ask('DELETE'), { status: 200, body: { cleared: ['more'] } })
  await until('nobody has one', () => !ofWorker.env.faults.isSet && !ofProxy.env.faults.isSet)

  const entries = (await cluster.store.audit(null, 10)).map(({ what, target, before, after }) => {
    return [what, target, before !== null, after !== null]
  })
  t.same(entries, [
    ['fault cleared', 'all faults', true, false],
    ['fault cleared', 'Fault/slow', true, false],
    ['fault set', 'Fault/more', false, true],
    ['fault set', 'Fault/slow', false, true],
  ])
  t.match(faultEvents(controller), [
    { name: 'slow', is_set: true },
    { name: 'more', is_set: true },
    { name: 'slow', is_set: false },
    { name: 'more', is_set: false },
  ])
  t.match(controller.events.kept.findLast(({ type }) => type === 'config')?.data, { faults: 0 })
})

void t.test('a fault ends by itself, in the store too', async (t) => {
  const { cluster, controller, ask, ofWorker, ofProxy } = await start()
  await using _ = cluster
  await ask('PUT', '/brief', { stage: 'db', delay, expiresAfter: '300ms' })
  t.ok((await ask('GET')).body.faults[0]!.left_ms! <= 300)
  await until('it strikes', () => ofWorker.env.faults.isSet && ofProxy.env.faults.isSet)
  await until('it is over', () => !ofWorker.env.faults.isSet && !ofProxy.env.faults.isSet)
  await until('it is gone', async () => (await cluster.store.documents('Fault')).length === 0)
  t.match(await cluster.store.audit(null, 1), [{ who: 'controller', what: 'fault over', target: 'Fault/brief' }])
  await until('it is told', () => faultEvents(controller).some(({ is_set }) => is_set === false))
  t.match(faultEvents(controller).at(-1), { name: 'brief', is_set: false, who: 'controller' })
})

void t.test('a fault of a route strikes while its VirtualService is applied', async (t) => {
  const { cluster, controller, handles, ask, ofWorker, ofProxy } = await start()
  await using _ = cluster
  const api = buildApi(controller, handles.env, { tokens: { write: 'a token', read: '' }, hosts: [], workersWanted: 1 })
  const headers = { authorization: 'Bearer a token' }
  const service = {
    apiVersion: 'holdfast.dev/v1',
    kind: 'VirtualService',
    metadata: { name: 'chat' },
    spec: {
      ws: [{ route: [{ destination: { host: 'chat-worker', subset: 'v1' } }], fault: { stage: 'db', delay, seed: 1 } }],
    },
  }
  const payload = { resources: [service] }
  const applied = await api.inject({ method: 'POST', url: '/api/v1/resources', headers, payload })
  t.equal(applied.statusCode, 200, applied.body)
  await until('it strikes', () => ofWorker.env.faults.isSet && ofProxy.env.faults.isSet)
  t.match((await ask('GET')).body.faults, [{ name: 'chat/0', stage: 'db' }])
  const url = '/api/v1/resources/VirtualService/chat'
  t.equal((await api.inject({ method: 'DELETE', url, headers })).statusCode, 200)
  await until('it is over', () => !ofWorker.env.faults.isSet && !ofProxy.env.faults.isSet)
})

void t.test('without any controller a fault ends all the same', async () => {
  const { cluster, ask, controller, ofWorker } = await start()
  await using _ = cluster
  await ask('PUT', '/brief', { stage: 'db', delay, expiresAfter: '400ms' })
  await until('it strikes', () => ofWorker.env.faults.isSet)
  controller.kill()
  await until('it is over', () => !ofWorker.env.faults.isSet)
})

void t.test('whoever leads next tells what is set, with what is left of it', async (t) => {
  const { cluster, ask, controller, ofWorker } = await start()
  await using _ = cluster
  await ask('PUT', '/long', { stage: 'db', delay, expiresAfter: '1h' })
  await until('it strikes', () => ofWorker.env.faults.isSet)
  controller.kill()
  const handles = cluster.handles()
  const next = await cluster.controller(handles)
  const askNext = asking(next, handles)
  t.match(await askNext('GET'), { status: 503, body: { code: 'not_leading' } })
  t.match(await askNext('PUT', '/x', { stage: 'db', delay }), { status: 503 })
  await until('it leads', () => next.isLeader && next.faults.set.length > 0, 10_000)
  const [long] = (await askNext('GET')).body.faults
  t.equal(long!.name, 'long')
  t.ok(long!.left_ms! > 3_500_000 && long!.left_ms! <= 3_600_000)
  t.match(await askNext('DELETE', '/long'), { status: 200 })
  await until('nobody has it', () => !ofWorker.env.faults.isSet)
})

void t.test('where faults are off none is set, and who has them off says so', async (t) => {
  for (const [enabled, isDev] of [
    ['off', true],
    ['auto', false],
  ] as const) {
    const { cluster, ask } = await start({ 'faults.enabled': enabled }, isDev)
    await using _ = cluster
    t.match(await ask('PUT', '/slow', { stage: 'db', delay }), { status: 403, body: { code: 'faults_off' } })
    t.match((await ask('GET')).body, { enabled: false, faults: [] })
  }
})

void t.test('outside of `holdfast dev` a fault must end', async (t) => {
  const { cluster, ask } = await start({ 'faults.enabled': 'on' }, false)
  await using _ = cluster
  t.match(await ask('PUT', '/slow', { stage: 'db', delay }), { status: 422, body: { code: 'expiry_required' } })
  t.match(await ask('PUT', '/slow', { stage: 'db', delay, expiresAfter: '1m' }), { status: 200 })
  t.match(await ask('PUT', '/Not a name', { stage: 'db', delay }), { status: 400 })
  t.match(await ask('PUT', '/none', { stage: 'db' }), { status: 422, body: { code: 'invalid_fault' } })
})
