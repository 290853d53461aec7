/**
 * Proves what real processes say whose log or store is away when they start: which one, where and why, without
 * passwords, in their log and where /ready is asked; and that they go on by themselves once it is there.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { freePort } from '../../compose/services/free-port.ts'
import { EngineChild } from '../engine/start-engine.ts'
import { environment } from '../support/command.ts'
import { launcher } from '../support/process.ts'
import { until } from '../support/until.ts'

const deadlineMs = 20_000

interface Line {
  level: number
  msg: string
  url?: string
  what?: string
  reason?: string
}

/** One process of a cluster, in a directory of its own. */
async function start(t: Test, role: string, settings: Record<string, string>) {
  const internal = await freePort()
  const child = spawn(process.execPath, [launcher, role], {
    cwd: t.testdir({}),
    env: environment({
      HOLDFAST_HTTP_SERVER_INTERNAL_PORT: String(internal),
      HOLDFAST_CONTROLLER_PORT: String(await freePort()),
      ...settings,
    }),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const lines = (): Line[] =>
    stderr.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []))
  return {
    lines,
    stderr: () => stderr,
    said: (fits: (line: Line) => boolean) => until('it is said', () => lines().some(fits), deadlineMs),
    ready: async () => (await (await fetch(`http://127.0.0.1:${internal}/ready`)).json()) as Record<string, string>,
  }
}

void t.test('the database is away', async (t) => {
  const port = await freePort()
  const engine = await EngineChild.start(t, t.testdir({}))
  const at = `mysql://127.0.0.1:${port}/holdfast`
  const settings = {
    HOLDFAST_LOG: `embedded:${engine.dataDir}`,
    HOLDFAST_STORE: `mysql://ann:geheim@127.0.0.1:${port}/holdfast`,
  }
  for (const role of ['worker', 'controller']) {
    const { said, ready, stderr, lines } = await start(t, role, settings)
    await said(({ url, reason }) => url === at && /ECONNREFUSED/.test(reason ?? ''))
    t.match(await ready(), { status: 'not ready', reason: `store ${at} (ECONNREFUSED` })
    t.equal(lines().filter(({ url }) => url === at).length, 1, 'once')
    t.notOk(stderr().includes('geheim'))
  }
})

void t.test('a database that takes connections and says nothing', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const { port } = silent.address() as { port: number }
  const engine = await EngineChild.start(t, t.testdir({}))
  const { said } = await start(t, 'worker', {
    HOLDFAST_LOG: `embedded:${engine.dataDir}`,
    HOLDFAST_STORE: `mysql://ann:geheim@127.0.0.1:${port}/holdfast`,
  })
  await said(({ msg }) => msg === `not ready: waits for store mysql://127.0.0.1:${port}/holdfast (no answer yet)`)
})

void t.test('Kafka is away', async (t) => {
  const at = `kafka://127.0.0.1:${await freePort()}/prefix`
  const { said, ready } = await start(t, 'proxy', {
    HOLDFAST_LOG: at,
    HOLDFAST_HTTP_SERVER_PORT: '0',
  })
  await said(({ url, reason }) => url === at && reason !== undefined)
  t.match(await ready(), { status: 'not ready', reason: `log ${at} (` })
})

void t.test('no engine runs, and then one does', async (t) => {
  const dataDir = t.testdir({})
  const { said, ready } = await start(t, 'worker', { HOLDFAST_DATA_DIR: dataDir })
  await said(({ url, reason }) => url === `embedded:${dataDir}` && reason?.includes(`${dataDir}/engine.json`) === true)
  t.match(await ready(), { status: 'not ready', reason: `embedded:${dataDir} (there is no` })
  await EngineChild.start(t, dataDir)
  await said(({ msg }) => msg === 'worker is up')
  t.match(await ready(), { status: 'ready' })
})
