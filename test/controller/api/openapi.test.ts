/**
 * Proves that every route of the API is described, with what it takes and what it answers, that real answers are as
 * described, and that docs/api.md lists the same routes.
 */
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { buildApi } from '../../../controller/api/api.ts'
import { InProcessCluster } from '../../harness/in-process-cluster.ts'
import { until } from '../../support/until.ts'

interface Operation {
  summary?: string
  parameters?: { in: string; name: string }[]
  requestBody?: object
  security?: { bearer?: string[] }[]
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
}

const cluster = new InProcessCluster()
t.teardown(() => cluster[Symbol.asyncDispose]())
const handles = cluster.handles()
const controller = await cluster.controller(handles)
const worker = await cluster.worker()
await cluster.proxy()
await cluster.owned([worker])
await until('the proxy is known', () => controller.liveProxies().length === 1)

const options = { tokens: { write: 'a token', read: 'a read token' }, hosts: [], workersWanted: 1 }
const api = buildApi(controller, handles.env, options)
const registered: string[] = []
api.addHook('onRoute', ({ method, url, schema }) => {
  const methods = [method].flat().filter((each) => each !== 'HEAD')
  if (schema?.hide !== true) for (const each of methods) registered.push(`${each} ${url}`)
})
await api.ready()

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

const ask = async (method: Method, url: string, payload?: object) => {
  const headers = { authorization: 'Bearer a token' }
  return api.inject({ method, url, headers, ...(payload && { payload }) })
}
const description = (await ask('GET', '/api/v1/openapi.json')).json<{
  openapi: string
  paths: Record<string, Record<string, Operation>>
}>()
const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
)

void t.test('every route is described', async (t) => {
  t.match(description.openapi, /^3\.1/)
  const described = operations.map(({ method, path }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`)
  t.same(described.toSorted(), registered.toSorted())
  for (const { method, path, operation } of operations) {
    const name = `${method} ${path}`
    t.ok(operation.summary, `${name} says what it is for`)
    const parameters = (operation.parameters ?? []).filter((each) => each.in === 'path').map((each) => each.name)
    t.same(
      parameters,
      [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter),
      `${name}: parameters`,
    )
    const good = Object.entries(operation.responses).filter(([status]) => status.startsWith('2'))
    t.ok(good.length > 0, `${name} says what it answers`)
    for (const [status, { content = {} }] of good)
      for (const { schema } of Object.values(content)) t.not(Object.keys(schema).length, 0, `${name} ${status}`)
    t.ok(operation.responses['4XX'], `${name} says how it refuses`)
  }
})

const template = {
  apiVersion: 'holdfast.dev/v1',
  kind: 'AnalysisTemplate',
  metadata: { name: 'errors' },
  spec: { metrics: [{ name: 'errors', interval: '5s', count: 3, provider: { counters: { judge: 'errors' } } }] },
}
const rollout = {
  apiVersion: 'holdfast.dev/v1',
  kind: 'Rollout',
  metadata: { name: 'chat' },
  spec: { strategy: { canary: { canaryService: 'v2', steps: [{ setWeight: 10 }] } } },
}
const fault = { stage: 'db', delay: { percentage: { value: 1 }, fixedDelay: '1ms' }, expiresAfter: '1m' }

/** One request for each route that can be asked without anything else, by its method and path. */
const examples: Record<string, { url?: string; payload?: object; code?: number }> = {
  'POST /api/v1/workers/{id}/drain': { url: `/api/v1/workers/${worker.id}/drain`, payload: { force: true }, code: 202 },
  'GET /api/v1/workers/{id}/drain': { url: `/api/v1/workers/${worker.id}/drain` },
  'GET /api/v1/resources/{kind}': { url: '/api/v1/resources/AnalysisTemplate' },
  'GET /api/v1/rollouts/{name}': { url: '/api/v1/rollouts/chat' },
  'POST /api/v1/rollouts/{name}/{order}': { url: '/api/v1/rollouts/chat/pause' },
  'POST /api/v1/resources': { payload: { resources: [template] } },
  'POST /api/v1/resources/validate': { payload: { resources: [template, {}] } },
  'GET /api/v1/resources/{kind}/{name}': { url: '/api/v1/resources/AnalysisTemplate/errors' },
  'GET /api/v1/resources/{kind}/{name}/history': { url: '/api/v1/resources/AnalysisTemplate/errors/history' },
  'POST /api/v1/resources/delete': { payload: { names: [{ kind: 'AnalysisTemplate', name: 'none' }] } },
  'PUT /api/v1/faults/{name}': { url: '/api/v1/faults/slow', payload: fault },
  'DELETE /api/v1/faults/{name}': { url: '/api/v1/faults/slow' },
  'POST /api/v1/slots/reset': { payload: { slot: 'default/0', to: 'end' } },
}

void t.test('real answers are as described', async (t) => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  const isPlain = ({ method, path }: { method: string; path: string }) =>
    method === 'GET' && !path.includes('{') && path !== '/api/v1/events'
  t.equal((await ask('POST', '/api/v1/resources', { resources: [rollout] })).statusCode, 200)
  await until('the rollout is known', async () => (await ask('GET', '/api/v1/rollouts/chat')).statusCode === 200)
  const asked = operations.filter((each) => isPlain(each) || examples[`${each.method} ${each.path}`])
  // What changes something comes first, so that the others have something to show.
  const order = ['PUT', 'POST', 'GET', 'DELETE']
  for (const { method, path, operation } of asked.toSorted(
    (a, b) => order.indexOf(a.method) - order.indexOf(b.method),
  )) {
    const { url = path, payload, code = 200 } = examples[`${method} ${path}`] ?? {}
    const answer = await ask(method as Method, url, payload)
    t.equal(answer.statusCode, code, `${method} ${url}`)
    const schema = operation.responses[code]?.content?.['application/json']?.schema
    if (schema === undefined) throw new Error(`${method} ${path} does not say what ${code} is`)
    const isAsDescribed = ajv.compile(schema)
    t.ok(isAsDescribed(answer.json()), `${method} ${url}: ${ajv.errorsText(isAsDescribed.errors)}`)
  }
  for (const refused of [await ask('GET', '/nothing'), await ask('POST', '/api/v1/slots/reset', {})]) {
    const isRefusal = ajv.compile(operations[0]!.operation.responses['4XX']!.content!['application/json']!.schema)
    t.ok(isRefusal(refused.json()), refused.body)
  }
})

void t.test('docs/api.md has the same routes', async (t) => {
  const page = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8')
  const inPage = page.split('\n').filter((line) => /^\| `(GET|POST|PUT|PATCH|DELETE) /.test(line))
  const rows = operations.map(({ method, path, operation: { summary, security } }) => {
    const [role] = security?.[0]?.bearer ?? ['anybody']
    return `| \`${method} ${path}\` | ${role} | ${summary} |`
  })
  t.same(inPage.toSorted(), rows.toSorted())
})
