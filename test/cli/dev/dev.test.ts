/**
 * Proves `holdfast dev` with its real processes: one line when it is ready, secrets only where they are needed, one
 * clear line for what cannot start, an orderly end, and nothing left after kill -9.
 */
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import type { Test } from 'tap'
import { freePort } from '../../../compose/services/free-port.ts'
import { exitCodes } from '../../../platform/exit-codes.ts'
import { resolvedConfigVariable } from '../../../platform/resolved-config.ts'
import { ended, environment, holdfast } from '../../support/command.ts'
import { isAlive } from '../../support/process-table.ts'
import { launcher } from '../../support/process.ts'
import { serviceUrl, storeVariable } from '../../support/services.ts'
import { until } from '../../support/until.ts'

async function start(t: Test, settings: Record<string, string> = {}) {
  const cwd = t.testdir({})
  const [chat, controller] = [await freePort(), await freePort()]
  const ports = { HOLDFAST_HTTP_SERVER_PORT: String(chat), HOLDFAST_CONTROLLER_PORT: String(controller) }
  const env = { ...ports, ...settings }
  const child = spawn(process.execPath, [launcher, 'dev'], {
    cwd,
    env: environment({ ...env, HOLDFAST_SHUTDOWN_JITTER: '0s' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  // Read, so that the pipe never fills up.
  child.stderr.resume()
  await until('ready', () => stdout.endsWith('\n'), 30_000)
  return { child, cwd, env, chat, controller, output: () => stdout }
}

/** The child processes of a process. */
function childrenOf(parent: number): number[] {
  const parentOf = (pid: number) => {
    try {
      return Number(
        readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[1],
      )
    } catch {
      return undefined
    }
  }
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && parentOf(pid) === parent)
}

void t.test('ready, seen by the command line, stopped in order', async (t) => {
  const { child, cwd, env, chat, controller, output } = await start(t)
  const line = `holdfast is ready  chat http://127.0.0.1:${chat}  console http://127.0.0.1:${controller}\n`
  const workers = JSON.parse((await holdfast(['workers', '--json'], cwd, env)).stdout) as {
    pid: number
    version: string
  }[]
  const pids = childrenOf(child.pid!)
  t.equal(pids.length, 5, 'engine, proxy, controller and two workers')
  t.same(
    workers.map((worker) => worker.version),
    ['v1', 'v1'],
  )
  t.ok(workers.every((worker) => pids.includes(worker.pid)))

  const secret = readFileSync(`${cwd}/.holdfast/client.secret`, 'utf8').trim()
  for (const pid of pids) {
    const role = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').at(-2)
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .filter((text) => text.startsWith('HOLDFAST_'))
    t.match(variables, [new RegExp(`^${resolvedConfigVariable}=`)], 'nothing but the configuration')
    t.equal(variables[0]?.includes(secret), role === 'proxy', `${role} and the secret of clients`)
  }

  child.kill('SIGINT')
  t.same(await ended(child), { code: exitCodes.ok, signal: null })
  t.notOk(pids.some(isAlive))
  t.equal(output(), line, 'the only line')
})

void t.test('kill -9 leaves nothing; a damaged data directory is one clear line', async (t) => {
  const { child, cwd, env } = await start(t)
  const pids = childrenOf(child.pid!)
  child.kill('SIGKILL')
  await until('all are gone', () => !pids.some(isAlive))
  const damaged = `${cwd}/.holdfast/holdfast.db`
  for (const suffix of ['-wal', '-shm']) rmSync(damaged + suffix, { force: true })
  writeFileSync(damaged, 'no database at all '.repeat(1_000))
  const again = await holdfast(['dev'], cwd, env)
  t.match(again, { code: exitCodes.damagedData, stdout: '', stderr: /^engine: .* is damaged .*\n$/ })
})

void t.test(
  'a password that the database refuses is for a person to mend: one line of each process, and the end',
  async (t) => {
    const store = new URL(serviceUrl(storeVariable))
    store.pathname = '/holdfast'
    store.password = 'hunter2'
    const env = {
      HOLDFAST_STORE: store.href,
      HOLDFAST_HTTP_SERVER_PORT: String(await freePort()),
      HOLDFAST_CONTROLLER_PORT: String(await freePort()),
      HOLDFAST_LOG_LEVEL: 'error',
    }
    const { code, stderr } = await holdfast(['dev'], t.testdir({}), env)
    t.equal(code, exitCodes.badConfig)
    t.match(stderr, /^(?:(?:worker|controller): store: ER_ACCESS_DENIED_ERROR: Access denied for user .*\n)+$/)
    t.notMatch(stderr, /hunter2/)
  },
)

void t.test('on every interface, and with other slots afterwards', async (t) => {
  const everywhere = { HOLDFAST_HTTP_SERVER_INTERNAL_ADDRESS: '0.0.0.0', HOLDFAST_TOPICS_SLOTS: '2' }
  const { child, cwd, env, controller } = await start(t, everywhere)
  const found = await fetch(`http://127.0.0.1:${controller}/api/v1/prometheus/targets`)
  const targets = ((await found.json()) as { targets: string[] }[]).flatMap((each) => each.targets)
  t.ok(targets.length >= 4)
  for (const target of targets) {
    t.notMatch(target, /^0\.0\.0\.0/, 'nobody can reach that')
    t.equal((await fetch(`http://${target}/metrics`)).status, 200, target)
  }
  child.kill('SIGTERM')
  t.same(await ended(child), { code: exitCodes.ok, signal: null })
  const changed = await holdfast(['dev'], cwd, { ...env, HOLDFAST_TOPICS_SLOTS: '3', HOLDFAST_LOG_LEVEL: 'error' })
  t.equal(changed.code, exitCodes.badConfig)
  // One line of each process, with the key.
  t.match(changed.stderr, /^(?:[a-z]+: log: topics\.slots is 3, but the cluster was made with 2: .*\n)+$/)
})
