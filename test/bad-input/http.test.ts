/**
 * Proves what the HTTP endpoints (the public listener with the chat page and its token endpoint, the controller's API,
 * the internal listener) do with requests that are broken or hostile: a status below 500 with a code, nothing done, and
 * everybody else served.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import * as fc from 'fast-check'
import t from 'tap'
import { page } from '../../apps/chat/page/plugin.ts'
import { buildApi } from '../../controller/api/api.ts'
import { httpConnectionsMax, httpPatienceMs } from '../../platform/http-limits.ts'
import { startInternalListener } from '../../platform/internal-listener.ts'
import { buildListener } from '../../proxy/listener/listener.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { secret } from '../harness/tokens.ts'
import { until } from '../support/until.ts'

const cluster = new InProcessCluster()
t.teardown(() => cluster[Symbol.asyncDispose]())
const handles = cluster.handles()
const controller = await cluster.controller(handles)
const worker = await cluster.worker()
const proxy = await cluster.proxy()
await cluster.owned([worker])

const api = buildApi(controller, handles.env, {
  tokens: { write: 'a token', read: '' },
  hosts: [],
  workersWanted: 1,
})
const listener = await buildListener(proxy, cluster.config, handles.env)
await listener.register(page, { secret, dev: true })
const internal = await startInternalListener({
  host: '127.0.0.1',
  port: 0,
  advertised: '',
  registry: handles.env.metrics.registry,
  ready: () => true,
})
for (const app of [api, listener]) {
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
}
t.teardown(() => internal.close())

const portOf = (app: typeof api): number => (app.server.address() as AddressInfo).port
const ports = { public: portOf(listener), api: portOf(api), internal: internal.port }
type Endpoint = keyof typeof ports
const endpoints = Object.keys(ports) as Endpoint[]

/** What is asked of each by somebody who means well. */
async function serves(endpoint: Endpoint): Promise<boolean> {
  const [path, init]: [string, RequestInit] = {
    public: [
      '/page/token',
      { method: 'POST', body: '{"name":"Ada"}', headers: { 'content-type': 'application/json' } },
    ],
    api: ['/api/v1/workers', { headers: { authorization: 'Bearer a token' } }],
    internal: ['/ready', {}],
  }[endpoint] as [string, RequestInit]
  const answer = await fetch(`http://127.0.0.1:${ports[endpoint]}${path}`, init)
  await answer.text()
  return answer.ok
}

/** Everything that a server says to these bytes before it closes or falls silent behind an answer. */
async function statusOf(endpoint: Endpoint, bytes: string | Buffer): Promise<number> {
  const socket = connect(ports[endpoint], '127.0.0.1')
  let received = ''
  socket.on('data', (data) => (received += data.toString('latin1')))
  // What goes wrong shows in what is received.
  socket.on('error', () => {})
  socket.write(bytes)
  await Promise.race([once(socket, 'data'), once(socket, 'close')])
  socket.destroy()
  return Number(/^HTTP\/1\.1 (\d+)/.exec(received)?.[1] ?? 0)
}

const json = 'Content-Type: application/json'
const request = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, 'Host: localhost', ...headers, '\r\n'].join('\r\n')

/** Nothing, half of a head, half of a body, and nothing after a request. */
const unfinished = [
  '',
  'GET /health HT',
  request('POST /api/v1/slots/reset', 'Authorization: Bearer a token', json, 'Content-Length: 99') + '{"sl',
  request('GET /'),
]
/** When each is closed, ms after it began: looked at in the last test. */
const patience = Promise.all(
  endpoints.flatMap((endpoint) =>
    unfinished.map(async (said) => {
      const socket = connect(ports[endpoint], '127.0.0.1')
      // What goes wrong shows in how it closes.
      socket.on('error', () => {})
      socket.resume()
      const start = performance.now()
      if (said !== '') socket.write(said)
      await once(socket, 'close')
      return { endpoint, said, ms: performance.now() - start }
    }),
  ),
)

void t.test('requests that are no HTTP', async (t) => {
  const cases: [name: string, bytes: string | Buffer, status: number][] = [
    ['bytes', Buffer.from([0, 1, 2, 0xff, 13, 10, 13, 10]), 400],
    ['a TLS client', Buffer.from('16030100050100000100', 'hex'), 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['no such method', request('DANCE /'), 400],
    ['headers that are too large', request('GET /', `X: ${'x'.repeat(20_000)}`), 431],
    ['a URL that is too large', request(`GET /${'x'.repeat(20_000)}`), 431],
    ['too many headers', request('GET /', ...Array.from({ length: 3_000 }, (_, at) => `A${at}: 1`)), 431],
    ['a header that is none', request('GET /', 'no colon'), 400],
    ['a header over two lines', request('GET /', 'A: 1', ' 2'), 400],
    ['two lengths', request('POST /page/token', json, 'Content-Length: 1', 'Content-Length: 2'), 400],
    ['a length and pieces', request('POST /page/token', json, 'Content-Length: 5', 'Transfer-Encoding: chunked'), 400],
    ['a length that is none', request('POST /page/token', json, 'Content-Length: -1'), 400],
    ['a path that is none', request('GET /%zz'), 400],
    ['a path without an end', request('GET /%c0%af%c0'), 400],
    ['a line feed in the path', 'GET /a\nb HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a tunnel', request('CONNECT x:80'), 0],
  ]
  for (const [name, bytes, status] of cases) {
    for (const endpoint of endpoints) t.equal(await statusOf(endpoint, bytes), status, `${endpoint}: ${name}`)
  }
  for (const endpoint of endpoints) t.ok(await serves(endpoint), endpoint)
})

void t.test('a request that ends at every byte', async (t) => {
  const whole = request('POST /page/token', json, 'Content-Length: 14') + '{"name":"Ada"}'
  for (const endpoint of endpoints) {
    await Promise.all(
      Array.from({ length: whole.length }, async (_, end) => {
        const socket = connect(ports[endpoint], '127.0.0.1')
        socket.on('error', () => {})
        socket.resume()
        socket.end(whole.slice(0, end))
        await once(socket, 'close')
      }),
    )
    t.ok(await serves(endpoint), endpoint)
  }
})

void t.test('bodies', async (t) => {
  const send = async (
    endpoint: Endpoint,
    path: string,
    body: string | Buffer,
    headers: Record<string, string> = {},
  ) => {
    const init = { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } }
    const answer = await fetch(`http://127.0.0.1:${ports[endpoint]}${path}`, init)
    return { status: answer.status, body: (await answer.json()) as { code?: string; message?: string } }
  }
  const authorization = 'Bearer a token'
  const bodies: [name: string, body: string | Buffer, headers: Record<string, string>, status: number][] = [
    ['too large', Buffer.alloc(2_000_000, 0x20), {}, 413],
    ['of another type', '{}', { 'content-type': 'text/xml' }, 415],
    ['of a type that is none', '{}', { 'content-type': 'x' }, 415],
    ['a form', 'name=Ada', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['broken', '{"name":', {}, 400],
    ['empty', '', {}, 400],
    ['deep', `${'['.repeat(30_000)}${']'.repeat(30_000)}`, {}, 400],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), {}, 400],
    ['that reaches for prototypes', '{"name":"Ada","__proto__":{"force":true}}', {}, 400],
    ['that reaches for constructors', '{"constructor":{"prototype":{"force":true}}}', {}, 400],
  ]
  for (const [name, body, headers, status] of bodies) {
    const paths: [Endpoint, string][] = [
      ['public', '/page/token'],
      ['api', `/api/v1/workers/${worker.id}/drain`],
      ['api', '/api/v1/slots/reset'],
    ]
    for (const [endpoint, path] of paths) {
      const answer = await send(endpoint, path, body, { ...headers, ...(endpoint === 'api' && { authorization }) })
      // Nobody asked to be drained gently needs a body.
      if (path.endsWith('drain') && name === 'empty') continue
      t.equal(answer.status, status, `${path}: ${name}`)
      t.type(answer.body.code, 'string')
      t.type(answer.body.message, 'string')
    }
  }
  t.notOk('force' in {}, 'nothing reached what all objects share')
  t.match(
    await send('api', '/api/v1/slots/reset', '{"slot":"default/0","to":"end"}'),
    { status: 401 },
    'without the token nothing is read',
  )
})

void t.test('the API: any request that is none of its own is refused, and nothing happens', async (t) => {
  const { slot } = (await cluster.store.leases())[0]!
  const owned = () =>
    cluster.store
      .leases()
      .then((leases) => leases.map(({ slot, owner, epoch, incarnation }) => [slot, owner, epoch, incarnation]))
  const ownedBefore = await owned()
  const to = fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      '0x1',
      '1e1',
      '0.5',
      '-1',
      '+1',
      '1 ',
      'End',
      'OLDEST',
      '٣',
      'NaN',
      'Infinity',
      'null',
      true,
      null,
      -1,
      0.5,
      1e99,
    ),
    fc.jsonValue().filter((value) => !Number.isSafeInteger(value)),
  )
  const reset = fc.record(
    {
      slot: fc.oneof(fc.constant(slot), fc.constant(slot), fc.constantFrom('default/99', 'x', ''), fc.jsonValue()),
      to,
      more: fc.jsonValue(),
    },
    { requiredKeys: ['slot', 'to'] },
  )
  const id = fc.oneof(fc.constantFrom(worker.id, 'w-none', '__proto__', 'constructor', '..', '%00'), fc.string())
  const drain = fc.oneof(
    fc.constant({}),
    fc.record({ force: fc.jsonValue().filter((value) => value !== true) }),
    fc.jsonValue(),
  )
  const asked = fc.oneof(
    reset.map((payload) => ({ method: 'POST', url: '/api/v1/slots/reset', payload }) as const),
    fc
      .tuple(id, drain)
      .map(
        ([id, payload]) =>
          ({ method: 'POST', url: `/api/v1/workers/${encodeURIComponent(id.toWellFormed())}/drain`, payload }) as const,
      ),
    id.map(
      (id) =>
        ({
          method: 'GET',
          url: `/api/v1/workers/${encodeURIComponent(id.toWellFormed())}/drain`,
          payload: undefined,
        }) as const,
    ),
    fc
      .tuple(fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH'), fc.webPath())
      .map(([method, path]) => ({ method, url: `/nothing${path}`, payload: undefined }) as const),
  )
  const statuses = new Set<number>()
  await fc.assert(
    fc.asyncProperty(asked, async ({ method, url, payload }) => {
      const answer = await api.inject({
        method: method as 'GET',
        url,
        headers: { authorization: 'Bearer a token', 'content-type': 'application/json' },
        ...(payload !== undefined && { payload: JSON.stringify(payload) }),
      })
      statuses.add(answer.statusCode)
      const { code, message } = answer.json<{ code: unknown; message: unknown }>()
      const isRefused = (answer.statusCode >= 400 && answer.statusCode < 500) || code === 'not_leading'
      assert.ok(isRefused, `${answer.statusCode}: ${answer.body}`)
      assert.ok(typeof code === 'string' && typeof message === 'string', answer.body)
    }),
    { numRuns: 600 },
  )
  for (const status of [400, 404, 422]) t.ok(statuses.has(status), `${status} was seen`)
  t.strictSame(await owned(), ownedBefore)
  const shut = await Promise.all(
    [
      '',
      'Bearer',
      'Bearer ',
      'bearer a token',
      'Bearer a token,',
      'Basic YTp0b2tlbg==',
      'Bearer a token\u00e9',
      'Bearer '.repeat(900),
    ].map((authorization) => api.inject({ url: '/api/v1/workers', headers: { authorization } })),
  )
  t.strictSame(new Set(shut.map(({ statusCode }) => statusCode)), new Set([401]))
})

void t.test('many connections that say nothing, or half of something', async (t) => {
  for (const endpoint of endpoints) {
    const sockets = await Promise.all(
      Array.from({ length: 300 }, async (_, at) => {
        const socket = connect(ports[endpoint], '127.0.0.1')
        await once(socket, 'connect')
        if (at % 3 === 1) socket.write('POST /page/token HT')
        if (at % 3 === 2) socket.write(request('POST /page/token', json, 'Content-Length: 99') + '{"na')
        return socket
      }),
    )
    for (let i = 0; i < 5; i++) t.ok(await serves(endpoint), endpoint)
    for (const socket of sockets) socket.destroy()
  }
})

void t.test('connections of the API and the internal listener are bounded', async (t) => {
  for (const endpoint of ['api', 'internal'] as const) {
    let closed = 0
    const over = 20
    const sockets = await Promise.all(
      Array.from({ length: httpConnectionsMax + over }, async () => {
        const socket = connect(ports[endpoint], '127.0.0.1')
        socket.on('error', () => {})
        socket.on('close', () => closed++)
        await once(socket.resume(), 'connect')
        return socket
      }),
    )
    await until('those over the bound are closed', () => closed >= over)
    for (const socket of sockets) socket.destroy()
    await until('the others leave', async () => serves(endpoint).catch(() => false))
    t.pass(endpoint)
  }
})

void t.test('whoever says nothing, half of something, or nothing more is closed after ten seconds', async (t) => {
  for (const { endpoint, said, ms } of await patience)
    t.ok(ms < httpPatienceMs + 5_000, `${endpoint}, ${JSON.stringify(said.slice(0, 20))}: ${Math.round(ms)} ms`)
})
