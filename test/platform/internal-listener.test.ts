/** Proves what operators get from every process: liveness, readiness with a reason, metrics as Prometheus reads them. */
import { Counter, Registry } from 'prom-client'
import t from 'tap'
import { authority } from '../../platform/addresses.ts'
import { startInternalListener } from '../../platform/internal-listener.ts'

void t.test('the internal listener', async (t) => {
  const registry = new Registry()
  new Counter({ name: 'holdfast_test_total', help: 'For this test', registers: [registry] }).inc(3)
  let ready: true | string = 'starting'
  const listener = await startInternalListener({
    host: '127.0.0.1',
    port: 0,
    advertised: '',
    registry,
    ready: () => ready,
  })
  t.teardown(() => listener.close())
  t.ok(listener.port > 0, 'port 0 takes a free one')
  const get = (path: string) => fetch(`http://${listener.host}:${listener.port}${path}`)

  for (const path of ['/health', '/healthz']) {
    const answer = await get(path)
    t.equal(answer.status, 200, 'alive before it is ready')
    t.strictSame(await answer.json(), { status: 'ok' })
  }
  for (const path of ['/ready', '/readyz']) {
    ready = 'draining'
    const not = await get(path)
    t.equal(not.status, 503)
    t.strictSame(await not.json(), { status: 'not ready', reason: 'draining' })
    ready = true
    const yes = await get(path)
    t.equal(yes.status, 200)
    t.strictSame(await yes.json(), { status: 'ready' })
  }

  const metrics = await get('/metrics')
  t.equal(metrics.status, 200)
  t.match(metrics.headers.get('content-type'), /^text\/plain;.*version=/)
  const text = await metrics.text()
  t.match(text, /^# HELP holdfast_test_total For this test$/m)
  t.match(text, /^# TYPE holdfast_test_total counter$/m)
  t.match(text, /^holdfast_test_total 3$/m)
  t.ok(text.endsWith('\n'))

  t.equal((await get('/other')).status, 404)
})

void t.test('on every interface: what others are told can be reached', async (t) => {
  for (const host of ['0.0.0.0', '::', '::1']) {
    const options = { host, port: 0, advertised: '', registry: new Registry(), ready: () => true as const }
    const listener = await startInternalListener(options).catch((error: NodeJS.ErrnoException) => {
      // A machine without IPv6.
      if (error.code !== 'EAFNOSUPPORT' && error.code !== 'EADDRNOTAVAIL') throw error
      return null
    })
    if (listener === null) continue
    t.teardown(() => listener.close())
    t.not(listener.host, host === '::1' ? '' : host)
    t.equal((await fetch(`http://${authority(listener.host, listener.port)}/health`)).status, 200, host)
  }
})

void t.test('a port in use is an error that says so', async (t) => {
  const options = { host: '127.0.0.1', port: 0, advertised: '', registry: new Registry(), ready: () => true as const }
  const first = await startInternalListener(options)
  t.teardown(() => first.close())
  await t.rejects(startInternalListener({ ...options, port: first.port }), { code: 'EADDRINUSE' })
})

void t.test('closing does not wait for connections that are kept alive', async (t) => {
  const listener = await startInternalListener({
    host: '127.0.0.1',
    port: 0,
    advertised: '',
    registry: new Registry(),
    ready: () => true,
  })
  const answer = await fetch(`http://${listener.host}:${listener.port}/health`, {
    headers: { connection: 'keep-alive' },
  })
  await answer.text()
  await listener.close()
  await t.rejects(fetch(`http://${listener.host}:${listener.port}/health`))
})
