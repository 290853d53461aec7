import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
/**
 * Proves the commands as a person or a script meets them, against a controller that only answers: what goes to
 * standard output, what to standard error, and the exit codes.
 */
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { jwtVerify } from 'jose'
import t from 'tap'
import type { Test } from 'tap'
import { loadConfig } from '../../config/load.ts'
import { exitCodes } from '../../platform/exit-codes.ts'
import { TokenVerifier } from '../../proxy/access/tokens.ts'
import { holdfast } from '../support/command.ts'

const workers = [
  { id: 'w1', pid: 11, version: 'v1', state: 'live', slots: 16 },
  { id: 'worker-2', pid: 12, version: 'v1', state: 'draining', slots: 0 },
]

interface Fake {
  cwd: string
  env: Record<string, string>
  requests: { url: string; body: unknown }[]
}

/** A controller with what `routes` add, and a directory in which the command line finds its token. */
async function fakeController(t: Test, routes: (app: FastifyInstance) => void): Promise<Fake> {
  const app = fastify()
  const requests: Fake['requests'] = []
  app.addHook('preHandler', async (request, reply) => {
    requests.push({ url: `${request.method} ${request.url}`, body: request.body })
    if (request.headers.authorization !== 'Bearer s3cret')
      await reply.code(401).send({ code: 'unauthorized', message: 'no' })
  })
  routes(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const cwd = t.testdir({ '.holdfast': { 'controller.token': 's3cret\n' } })
  return { cwd, env: { HOLDFAST_CONTROLLER_PORT: String((app.server.address() as AddressInfo).port) }, requests }
}

void t.test('lists: a table for people, an array for programs', async (t) => {
  const { cwd, env } = await fakeController(t, (app) => {
    app.get('/api/v1/workers', () => workers)
    app.get('/api/v1/slots', () => [
      { slot: 'default/0', owner: null, version: null, epoch: 0, next_offset: 0, lag: 0 },
    ])
    app.get('/api/v1/proxies', () => [])
  })
  const table = await holdfast(['workers'], cwd, env)
  t.match(table, { code: exitCodes.ok, stderr: '' })
  t.equal(
    table.stdout,
    'id        pid  version  state     slots\nw1        11   v1       live      16\nworker-2  12   v1       draining  0\n',
  )
  const json = await holdfast(['workers', '--json'], cwd, env)
  t.same([json.code, json.stderr, JSON.parse(json.stdout)], [exitCodes.ok, '', workers])
  t.match(JSON.parse((await holdfast(['slots', '--json'], cwd, env)).stdout), [{ slot: 'default/0', owner: null }])
  t.match((await holdfast(['slots'], cwd, env)).stdout, /^default\/0 {2}- {6}- /m)
  t.equal((await holdfast(['proxies'], cwd, env)).stdout, 'no proxies\n')
  t.same(JSON.parse((await holdfast(['proxies', '--json'], cwd, env)).stdout), [])
})

void t.test('drain shows progress, then the pauses', async (t) => {
  const states = [
    { state: 'draining', slots: 2, in_flight: 1, outbox: 0, pauses_ms: [] },
    { state: 'draining', slots: 1, in_flight: 1, outbox: 0, pauses_ms: [3] },
    { state: 'drained', slots: 0, in_flight: 0, outbox: 0, pauses_ms: [3, 1, 2, 40.06] },
  ]
  const { cwd, env, requests } = await fakeController(t, (app) => {
    let looks = 0
    app.post('/api/v1/workers/w1/drain', (_request, reply) => reply.code(202).send({}))
    app.get('/api/v1/workers/w1/drain', () => states[Math.min(looks++ % 4, 2)])
  })
  const people = await holdfast(['drain', 'worker', 'w1'], cwd, env)
  t.same(people.stdout.trim().split('\n'), [
    'draining w1',
    'w1: 2 slots left',
    'w1: 1 slots left',
    'w1 is drained; pauses of 4 slots: p50 2 ms, p99 40.1 ms, max 40.1 ms',
  ])
  t.same([people.code, people.stderr, requests[0]?.body], [exitCodes.ok, '', { force: false }])
  const json = await holdfast(['drain', 'worker', 'w1', '--force', '--json'], cwd, env)
  t.same(JSON.parse(json.stdout), {
    id: 'w1',
    state: 'drained',
    pauses: { count: 4, p50_ms: 2, p99_ms: 40.1, max_ms: 40.1 },
  })
  t.same(requests.findLast(({ url }) => url.startsWith('POST'))?.body, { force: true })
})

void t.test('drain of a version shows all that is left of it', async (t) => {
  const states = [
    { state: 'draining', workers: 2, slots: 4, in_flight: 3, outbox: 1, pauses_ms: [] },
    { state: 'drained', workers: 0, slots: 0, in_flight: 0, outbox: 0, pauses_ms: [2, 2, 2, 2] },
  ]
  const { cwd, env } = await fakeController(t, (app) => {
    let looks = 0
    app.post('/api/v1/versions/v1/drain', (_request, reply) => reply.code(202).send({}))
    app.get('/api/v1/versions/v1/drain', () => states[Math.min(looks++, 1)])
  })
  const { stdout, code } = await holdfast(['drain', 'version', 'v1'], cwd, env)
  t.same(stdout.trim().split('\n'), [
    'draining v1',
    'v1: 4 slots of 2 workers left, 3 records in flight, 1 rows in the outbox',
    'v1 is drained; pauses of 4 slots: p50 2 ms, p99 2 ms, max 2 ms',
  ])
  t.equal(code, exitCodes.ok)
})

void t.test('traffic shows weights wanted and had', async (t) => {
  const versions = [
    { version: 'v1', desired: 90, slots: 14, slots_percent: 87.5, traffic_percent: null },
    { version: 'v2', desired: 10, slots: 2, slots_percent: 12.5, traffic_percent: 11.2 },
  ]
  const groups = [{ group: 'default', weight_by: 'slots', slots: 16, quantum: 6.25, moving: 0, versions }]
  const { cwd, env } = await fakeController(t, (app) => {
    app.get('/api/v1/traffic', () => groups)
  })
  const { stdout } = await holdfast(['traffic'], cwd, env)
  t.same(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/)),
    [
      ['group', 'version', 'by', 'desired', 'by slots', 'by traffic', 'slots', 'moving', 'one slot'],
      ['default', 'v1', 'slots', '90 %', '87.5 %', '-', '14', '0', '6.25 %'],
      ['default', 'v2', 'slots', '10 %', '12.5 %', '11.2 %', '2', '0', '6.25 %'],
    ],
  )
  t.same(JSON.parse((await holdfast(['traffic', '--json'], cwd, env)).stdout), groups)
})

void t.test('what the controller refuses is said, and the command fails', async (t) => {
  const { cwd, env } = await fakeController(t, (app) => {
    app.post('/api/v1/workers/:id/drain', (_request, reply) =>
      reply.code(409).send({ code: 'last_worker', message: 'w1 is the last worker; use --force' }),
    )
  })
  const refused = await holdfast(['drain', 'worker', 'w1', '--json'], cwd, env)
  t.same(refused, {
    code: exitCodes.failure,
    signal: null,
    stdout: '',
    stderr: 'holdfast: w1 is the last worker; use --force\n',
  })
  const strange = await holdfast(['workers'], cwd, env)
  t.match(strange, { code: exitCodes.failure, stdout: '' })
  const stranger = await holdfast(['workers'], cwd, { ...env, HOLDFAST_DATA_DIR: 'elsewhere' })
  t.match(stranger, { code: exitCodes.failure, stderr: /refuses the token of elsewhere\/controller\.token.*\n$/ })
})

void t.test('a controller that is not there', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  const { code, stdout, stderr } = await holdfast(['workers', '--json'], t.testdir({}), {
    HOLDFAST_CONTROLLER_PORT: String(port),
  })
  t.same({ code, stdout }, { code: exitCodes.failure, stdout: '' })
  t.match(
    stderr,
    new RegExp(`^holdfast: no controller answers at http://127\\.0\\.0\\.1:${port}: start the cluster.*\\n$`),
  )
})

void t.test('slots reset', async (t) => {
  const { cwd, env, requests } = await fakeController(t, (app) => app.post('/api/v1/slots/reset', () => ({})))
  for (const [to, sent] of [
    ['oldest', 'oldest'],
    ['end', 'end'],
    ['42', 42],
  ] as const) {
    t.equal((await holdfast(['slots', 'reset', 'default/3', '--to', to], cwd, env)).code, exitCodes.ok)
    t.same(requests.at(-1), { url: 'POST /api/v1/slots/reset', body: { slot: 'default/3', to: sent } })
  }
  t.match(await holdfast(['slots', 'reset', 'default/3', '--to', 'soon'], cwd, env), {
    code: exitCodes.failure,
    stderr: /allowed: oldest, end/,
  })
})

void t.test('token prints a token and nothing else', async (t) => {
  const secret = 'k'.repeat(32)
  const cwd = t.testdir({})
  const env = { HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY: secret }
  const { code, stdout, stderr } = await holdfast(['token', 'alice', '--expire', '10m'], cwd, env)
  t.same({ code, stderr }, { code: exitCodes.ok, stderr: '' })
  const { payload, protectedHeader } = await jwtVerify(stdout.trim(), new TextEncoder().encode(secret))
  t.match({ ...payload, alg: protectedHeader.alg }, { sub: 'alice', alg: 'HS256' })
  t.equal(payload.exp! - payload.iat!, 600)

  const asked = { AUDIENCE: 'chat', ISSUER: 'https://id.example', USER_ID_CLAIM: 'uid' }
  const more = Object.fromEntries(
    Object.entries(asked).map(([name, value]) => [`HOLDFAST_CLIENT_TOKEN_${name}`, value]),
  )
  const fitting = await holdfast(['token', 'alice'], cwd, { ...env, ...more })
  const { client } = loadConfig({ env: { ...env, ...more }, flags: {}, cwd }).config
  const verdict = new TokenVerifier(client).verify(fitting.stdout.trim(), Date.now())
  t.match(verdict, { identity: { user: 'alice' } }, 'one that a proxy of this configuration takes')

  t.match(await holdfast(['token', 'alice'], cwd), {
    code: exitCodes.badConfig,
    stdout: '',
    stderr: /there is no secret/,
  })
  mkdirSync(`${cwd}/.holdfast`)
  writeFileSync(`${cwd}/.holdfast/client.secret`, 'kept\n')
  const kept = await holdfast(['token', 'bob'], cwd)
  await t.resolves(jwtVerify(kept.stdout.trim(), new TextEncoder().encode('kept')))
})

void t.test('config check and print', async (t) => {
  const cwd = t.testdir({ 'holdfast.yaml': 'admin: {enabled: true}\nhttp_server: {port: 9000}\n' })
  const env = { HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY: 'hunter2' }
  const check = await holdfast(['config', 'check'], cwd, env)
  t.match(check, {
    code: exitCodes.ok,
    stdout: 'the configuration is good\n',
    stderr: /warning: admin .*\nwarning: client\.token\.hmac_secret_key .*\n/,
  })
  const json = await holdfast(['config', 'check', '--json'], cwd, env)
  t.match(JSON.parse(json.stdout), { ok: true, warnings: [/^admin/, /^client/] })
  const print = await holdfast(['config', 'print', '--json', '--worker.version', 'v9'], cwd, env)
  t.match(JSON.parse(print.stdout), {
    http_server: { port: 9000 },
    worker: { version: 'v9' },
    client: { token: { hmac_secret_key: '***' } },
  })
  const bad = await holdfast(['config', 'check'], cwd, { HOLDFAST_HTTP_SERVER_PORT: 'x' })
  t.match(bad, {
    code: exitCodes.badConfig,
    stdout: '',
    stderr: /^holdfast: http_server\.port \(HOLDFAST_HTTP_SERVER_PORT\): "x".*\n$/,
  })
})

void t.test('help names variables and defaults; --version after worker is its own', async (t) => {
  const cwd = t.testdir({})
  const help = await holdfast(['worker', '--help'], cwd)
  t.equal(help.code, exitCodes.ok)
  const text = help.stdout.replaceAll(/\s+/g, ' ')
  t.match(text, '--version <value> Version of the worker. (env: HOLDFAST_WORKER_VERSION, default: v1)')
  t.match(text, 'Examples: holdfast worker --version v2')
  t.notMatch(text, 'hmac')
  t.match((await holdfast(['--help'], cwd)).stdout, /drain[\s\S]*token[\s\S]*config/)
  t.match(await holdfast(['worker', '--verson', 'v2'], cwd), {
    code: exitCodes.failure,
    stderr: /Did you mean --version\?/,
  })
})

void t.test('dev: what cannot work is one clear line, and nothing is left behind', async (t) => {
  const cwd = t.testdir({})
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const free = { HOLDFAST_HTTP_SERVER_PORT: '0' }
  const used = await holdfast(['dev'], cwd, { ...free, HOLDFAST_CONTROLLER_PORT: String(port) })
  t.match(used, {
    code: exitCodes.portInUse,
    stdout: '',
    stderr: new RegExp(`^holdfast: 127\\.0\\.0\\.1:${port} is in use.*HOLDFAST_CONTROLLER_PORT\\)\\n$`),
  })
  t.match(await holdfast(['dev', '--workers', 'two'], cwd), {
    code: exitCodes.badConfig,
    stdout: '',
    stderr: /^holdfast: dev\.workers .*\n$/,
  })
  t.match(await holdfast(['token', 'a'], cwd), { code: exitCodes.badConfig }, 'no secret was made')
})
