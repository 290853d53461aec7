/**
 * Proves that a proxy which cannot hold all its clients says so: at start when the process may open too few files, by its
 * readiness before it is full, once an outage when it is, in a metric; and that those who are in stay.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { outageQuietMs } from '../../../platform/outages.ts'
import { errors } from '../../../protocol/client/codes.ts'
import { Capacity, clientsExpected, filesReserved } from '../../../proxy/sessions/capacity.ts'
import { websocketPath } from '../../../proxy/transports/websocket/route.ts'
import { BareClient, upgradeRequest } from '../../harness/clients/bare-client.ts'
import { Wire } from '../../harness/clients/wire.ts'
import { testEnv } from '../../harness/env.ts'
import { Served } from '../../harness/served.ts'
import { tokenFor } from '../../harness/tokens.ts'
import type { Line } from '../../support/loggers.ts'
import { notingLogger } from '../../support/loggers.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { cleanEnvironment } from '../../support/process.ts'
import { until } from '../../support/until.ts'

const tooLow = 'the limit of open files (ulimit -n) is too low for the clients'

void t.test('what is said at start', async (t) => {
  const said = (limit: number, files: number): { clients: number; warned: boolean } => {
    const { lines, logger } = notingLogger()
    const { clients, sockets } = new Capacity(testEnv({ clock: new ManualClock(), logger }), limit, files)
    t.ok(sockets > clients || files === Infinity, 'who is refused has a connection first')
    t.ok(sockets < files || files === Infinity)
    return { clients, warned: lines.some(({ msg }) => msg === tooLow) }
  }
  t.strictSame(said(0, Infinity), { clients: Infinity, warned: false })
  t.strictSame(said(0, 1_000), { clients: 1_000 - filesReserved, warned: true })
  t.strictSame(said(0, clientsExpected + filesReserved), { clients: clientsExpected, warned: false })
  t.strictSame(said(500, 1_000), { clients: 500, warned: false })
  t.strictSame(said(900, 1_000), { clients: 1_000 - filesReserved, warned: true }, 'less than is configured')
  t.strictSame(said(0, 64), { clients: 32, warned: true })
})

void t.test('what is said when it is full, and when it is not any more', async (t) => {
  const { lines, logger } = notingLogger()
  const clock = new ManualClock()
  const capacity = new Capacity(testEnv({ clock, logger }), 100, Infinity)
  t.notOk(capacity.isNearlyFull(94))
  t.ok(capacity.isNearlyFull(95))
  t.notOk(capacity.refuses(99))
  for (let at = 0; at < 50; at++) t.ok(capacity.refuses(100))
  capacity.look(100)
  capacity.look(96)
  t.strictSame(
    lines.map(({ msg, reason }) => [msg, reason]),
    [['takes no more clients', 'client.connection_limit is 100']],
  )
  capacity.look(94)
  capacity.look(94)
  t.equal(lines.length, 2)
  t.equal(lines[1]?.msg, 'takes clients again')
  clock.advance(outageQuietMs)
  t.ok(capacity.refuses(100))
  t.equal(lines.length, 3, 'the next outage')
  capacity.look(0)
  t.equal(lines.length, 3, 'not over while somebody was just refused')
})

void t.test('a configured limit', async (t) => {
  const { lines, logger } = notingLogger()
  await using served = await Served.start({ 'client.connection_limit': '20' }, logger)
  const wires: Wire[] = []
  while (wires.length < 18) wires.push(await served.client())
  t.equal(served.proxy.ready, true)
  wires.push(await served.client())
  t.equal(served.proxy.ready, 'it has 19 of the 20 clients that it takes')
  wires.push(await served.client())
  const refused = await Promise.all(Array.from({ length: 30 }, () => served.statusOf()))
  t.strictSame(new Set(refused), new Set([503]))
  using bare = await BareClient.open(served)
  bare.socket.write(upgradeRequest)
  await bare.status()
  t.match(bare.received, /retry-after: 1\r\n[^]*"code":"connection_limit"/i)
  t.equal(lines.filter(({ msg }) => msg === 'takes no more clients').length, 1)
  const { values } = await served.metrics.connectionsRefused.get()
  t.equal(values.find(({ labels }) => labels.reason === 'connection_limit')?.value, 31)
  t.equal((await served.metrics.connectionsMax.get()).values[0]?.value, 20)
  t.strictSame(
    new Set(await Promise.all(wires.map((wire) => wire.errorOf({ rpc: {} })))),
    new Set([errors.notAvailable.code]),
  )
  for (const wire of wires.splice(0, 5)) wire.terminate()
  await until('it is ready again', () => served.proxy.ready === true)
  t.ok(await served.client())
  await until('it says so', () => lines.some(({ msg }) => msg === 'takes clients again'))
})

void t.test('a process that may open few files', async (t) => {
  const files = 400
  const program = fileURLToPath(new URL('../../bad-input/fixtures/proxy-process.ts', import.meta.url))
  const shell = `ulimit -n ${files} && exec "$0" "$@"`
  const child = spawn('sh', ['-c', shell, process.execPath, program, '{}'], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr!.on('data', (data: Buffer) => (stderr += data.toString()))
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const lines = (): Line[] =>
    stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Line)
  t.equal(lines().filter(({ msg }) => msg === tooLow).length, 1, 'said at start')

  const token = await tokenFor('ada')
  const url = `ws://127.0.0.1:${port}${websocketPath}`
  const wires = await Promise.all(
    Array.from({ length: 2 * files }, async () => {
      const wire = new Wire(url, [], {})
      const status = await Promise.race([
        wire.opened.then(
          () => 101,
          (error: { status?: number }) => error.status ?? 0,
        ),
        until('it is closed', () => wire.closed !== null).then(() => 0),
      ])
      return { wire, status }
    }),
  )
  const count = (status: number): number => wires.filter((each) => each.status === status).length
  t.equal(count(101), files - filesReserved, 'as many as there is room for')
  t.ok(count(503) > 0, `${count(503)} are told, ${count(0)} closed`)
  t.strictSame(
    lines()
      .filter(({ msg }) => msg !== tooLow)
      .map(({ msg, reason }) => [msg, reason]),
    [['takes no more clients', `the process may open ${files} files`]],
    'said once',
  )
  const [first] = wires.filter(({ status }) => status === 101)
  t.ok((await first!.wire.connect(token)).connect, 'who is in is served')
  for (const { wire } of wires) wire.terminate()
})
