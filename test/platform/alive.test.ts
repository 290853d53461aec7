// Proves when a process counts as ended: its connection closed and nobody, or somebody else, listens there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { openWire } from '../../platform/alive.ts'
import { until } from '../support/until.ts'

const script = fileURLToPath(new URL('alive-process.ts', import.meta.url))

/** A process that listens on a port; a wire to it is held. */
async function held(t: Test, port = 0) {
  const child = spawn(process.execPath, [script, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => String((await lines.next()).value)
  return { child, next, port: Number(await next()) }
}

t.test('a process that is killed counts as ended at once', async (t) => {
  const { child, next, port } = await held(t)
  const { promise, resolve } = Promise.withResolvers<number>()
  openWire({ host: '127.0.0.1', port }, () => resolve(performance.now()))
  t.equal(await next(), 'answered')
  const killedAt = performance.now()
  child.kill('SIGKILL')
  t.comment(`known after ${Math.round((await promise) - killedAt)} ms`)
})

t.test('a process in whose place another one listens counts as ended', async (t) => {
  const { child, next, port } = await held(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  openWire({ host: '127.0.0.1', port }, resolve)
  t.equal(await next(), 'answered')
  child.kill('SIGKILL')
  await once(child, 'exit')
  await held(t, port)
  await promise
})

t.test('a connection that breaks is made again, and tells nothing', async (t) => {
  let asked = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const server = createServer((_request, response) => {
    asked += 1
    response.write('the same')
    if (asked < 3) setImmediate(() => response.destroy())
    else resolve()
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close().closeAllConnections())
  await once(server, 'listening')
  const turns: boolean[] = []
  const wire = openWire(
    { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    () => t.fail('not gone'),
    (isUp) => turns.push(isUp),
  )
  await promise
  await until('the third stands', () => turns.length === 5)
  t.same(turns, [true, false, true, false, true])
  t.equal(asked, 3)
  wire.close()
})

t.test('a process that was never reached, and one whose wire is closed, tell nothing', async (t) => {
  const { child, next, port } = await held(t)
  const closed = openWire({ host: '127.0.0.1', port }, () => t.fail('its wire is closed'))
  t.equal(await next(), 'answered')
  closed.close()
  child.kill('SIGKILL')
  await once(child, 'exit')
  const never = openWire({ host: '127.0.0.1', port }, () => t.fail('it was never there'))
  // Another one that is there, and ends, is known by then.
  const other = await held(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  openWire({ host: '127.0.0.1', port: other.port }, resolve)
  t.equal(await other.next(), 'answered')
  other.child.kill('SIGKILL')
  await promise
  never.close()
})

t.test('an older process, which has no such answer, tells nothing', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked = 0
  const server = createServer((_request, response) => {
    response.writeHead(404).end('{}')
    if (++asked === 3) resolve()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const wire = openWire({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, () => t.fail('not gone'))
  await promise
  server.close().closeAllConnections()
  wire.close()
  t.equal(asked, 3)
})
