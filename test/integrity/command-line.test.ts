// Proves the contract of the command line end to end, with real processes: what it prints, how it ends, what it
// refuses, and that a cluster never leaves a process behind.
import { readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Centrifuge } from 'centrifuge'
import { jwtVerify } from 'jose'
import t from 'tap'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { freePort } from '../../compose/services/free-port.ts'
import { exitCodes, signalExitCode } from '../../platform/exit-codes.ts'
import { sameSignalMs } from '../../platform/signals.ts'
import type { WorkerView } from '../harness/processes/api.ts'
import { startCluster, type Cluster } from '../harness/processes/cluster.ts'
import { roleOf } from '../harness/processes/role.ts'
import type { Role } from '../harness/processes/role.ts'
import { secret, tokenFor } from '../harness/tokens.ts'
import { isAlive, processes, signalIfRunning } from '../support/process-table.ts'
import { Running, type Exit } from '../support/process.ts'
import { until } from '../support/until.ts'

/** A killed worker has a live successor within this. */
const respawnDeadlineMs = 3_000

/** Children end within this after their supervisor was killed. */
const orphanDeadlineMs = 5_000

/** A command that cannot start says so within this. */
const refusalDeadlineMs = 10_000

async function list<T>(cluster: Cluster, what: string): Promise<T[]> {
  const { exit, stdout } = await cluster.command(what, '--json')
  if (exit.code !== exitCodes.ok) throw new Error(`holdfast ${what} --json ended with ${exit.code}`)
  return JSON.parse(stdout) as T[]
}

/** Runs `holdfast dev` that must not start; returns how it ended. */
async function refused(environment: NodeJS.ProcessEnv): Promise<{ exit: Exit; stdout: string; stderr: string }> {
  await using running = new Running(['dev'], environment)
  const overdue = setTimeout(() => running.signal('SIGKILL'), refusalDeadlineMs)
  const exit = await running.exited
  clearTimeout(overdue)
  return { exit, stdout: running.stdout, stderr: running.stderr }
}

async function allEnded(pids: number[], deadlineMs: number): Promise<void> {
  await until(`the processes ${pids.join(', ')} to end`, () => !pids.some(isAlive), deadlineMs)
}

void t.test('a running cluster', async (t) => {
  const cluster = await startCluster()
  t.teardown(() => cluster.stop())

  await t.test('says once that it is ready, with its addresses', async (t) => {
    const lines = cluster.running.stdout.split('\n').filter((line) => line.includes('holdfast is ready'))
    t.equal(lines.length, 1)
    t.ok(lines[0]?.includes(`http://127.0.0.1:${cluster.port}`))
    t.ok(lines[0]?.includes(`http://127.0.0.1:${cluster.controllerPort}`))
  })

  await t.test('keeps its secrets for its owner', async (t) => {
    t.equal(statSync(join(cluster.dataDirectory, 'controller.token')).mode & 0o777, 0o600)
  })

  await t.test('lists workers, slots and proxies as JSON, sorted', async (t) => {
    const workers = await list<WorkerView>(cluster, 'workers')
    t.strictSame(
      workers.map((worker) => Object.keys(worker).sort()),
      [1, 2].map(() => ['id', 'pid', 'slots', 'state', 'version']),
    )
    t.strictSame(
      workers.map(({ version, state, slots }) => ({ version, state, slots })),
      [1, 2].map(() => ({ version: 'v1', state: 'live', slots: 8 })),
    )
    t.strictSame(
      workers.map(({ pid }) => pid).sort((a, b) => a - b),
      (await cluster.pids('worker')).sort((a, b) => a - b),
      'pid is the process that holds slots',
    )
    const ids = workers.map(({ id }) => id)
    t.strictSame(ids, [...ids].sort())

    const slots = await list<Record<string, unknown>>(cluster, 'slots')
    t.equal(slots.length, 16)
    for (const slot of slots) {
      t.strictSame(Object.keys(slot).sort(), ['epoch', 'lag', 'next_offset', 'owner', 'slot', 'version'])
      t.match(slot, { slot: /^default\/\d+$/, version: 'v1', epoch: Number, next_offset: Number, lag: Number })
      t.ok(ids.includes(String(slot['owner'])))
    }
    const names = slots.map(({ slot }) => String(slot))
    t.equal(new Set(names).size, 16)

    const proxies = await list<Record<string, unknown>>(cluster, 'proxies')
    t.match(proxies, [
      { id: String, pid: Number, generation: Number, state: 'live', sessions: 0, address: `127.0.0.1:${cluster.port}` },
    ])
    t.strictSame(Object.keys(proxies[0] ?? {}).sort(), ['address', 'generation', 'id', 'pid', 'sessions', 'state'])
    t.strictSame(
      proxies.map(({ pid }) => pid),
      await cluster.pids('proxy'),
    )
  })

  await t.test('lists for people too', async (t) => {
    const { exit, stdout } = await cluster.command('workers')
    t.equal(exit.code, exitCodes.ok)
    for (const { id } of await cluster.workers()) t.ok(stdout.includes(id))
  })

  await t.test('replaces a killed worker, under a new id, within three seconds', async (t) => {
    for (let round = 0; round < 2; round++) {
      const before = await cluster.settled()
      const [victim] = before
      if (victim === undefined) throw new Error('there is no worker')
      process.kill(victim.pid, 'SIGKILL')
      const known = new Set(before.map(({ id }) => id))
      await until(
        'a live successor',
        async () => (await cluster.workers()).some(({ id, state }) => state === 'live' && !known.has(id)),
        respawnDeadlineMs,
      )
      t.notOk((await cluster.settled()).some(({ id }) => id === victim.id))
    }
  })

  await t.test('drains a worker: progress, pauses, then nothing is left and a fresh one comes', async (t) => {
    const [victim] = await cluster.settled()
    if (victim === undefined) throw new Error('there is no worker')
    const { exit, stdout, stderr } = await cluster.command('drain', 'worker', victim.id)
    t.equal(exit.code, exitCodes.ok, stderr)
    t.match(stdout, /\d+(?:\.\d+)? ms/, 'it prints the pauses')
    t.notOk((await cluster.slots()).some(({ owner }) => owner === victim.id))
    await allEnded([victim.pid], respawnDeadlineMs)
    t.notOk((await cluster.settled()).some(({ id }) => id === victim.id))
  })

  await t.test('says clearly that it does not know a worker', async (t) => {
    const { exit, stderr } = await cluster.command('drain', 'worker', 'nobody')
    t.not(exit.code, exitCodes.ok)
    t.match(stderr, /nobody/)
    t.equal(stderr.trim().split('\n').length, 1)
  })

  await t.test('issues tokens', async (t) => {
    const { exit, stdout } = await cluster.command('token', 'ada', '--expire', '1h')
    t.equal(exit.code, exitCodes.ok)
    const { payload } = await jwtVerify(stdout.trim(), new TextEncoder().encode(secret))
    t.equal(payload.sub, 'ada')
    t.ok(Math.abs((payload.exp ?? 0) - Date.now() / 1_000 - 3_600) < 60)
  })

  await t.test('stands beside another', async (t) => {
    await using other = await startCluster()
    const [here, there] = await Promise.all([cluster.workers(), other.workers()])
    t.equal(here.length, 2)
    t.equal(there.length, 2)
    t.notOk(there.some(({ id }) => here.some((worker) => worker.id === id)))
  })

  await t.test('refuses a second one on its port with one clear line', async (t) => {
    for (const [name, port] of [
      ['HOLDFAST_HTTP_SERVER_PORT', cluster.port],
      ['HOLDFAST_CONTROLLER_PORT', cluster.controllerPort],
    ] as const) {
      const { exit, stderr } = await refused({
        HOLDFAST_HTTP_SERVER_PORT: String(await freePort()),
        HOLDFAST_CONTROLLER_PORT: String(await freePort()),
        HOLDFAST_DATA_DIR: t.testdir(),
        [name]: String(port),
      })
      t.ok(exit.code !== null && exit.code !== exitCodes.ok, `it ends with ${exit.code}`)
      t.equal(stderr.trim().split('\n').length, 1, stderr)
      t.ok(stderr.includes(String(port)))
    }
  })

  await t.test('refuses a second one on its data with one clear line', async (t) => {
    const { exit, stderr } = await refused({
      HOLDFAST_HTTP_SERVER_PORT: String(await freePort()),
      HOLDFAST_CONTROLLER_PORT: String(await freePort()),
      HOLDFAST_DATA_DIR: cluster.dataDirectory,
    })
    t.ok(exit.code !== null && exit.code !== exitCodes.ok, `it ends with ${exit.code}`)
    t.equal(stderr.trim().split('\n').length, 1, stderr)
    t.ok(stderr.includes(cluster.dataDirectory))
  })
})

void t.test('the last worker is drained only by force', async (t) => {
  await using cluster = await startCluster({ settings: { HOLDFAST_DEV_WORKERS: '1' } })
  const [worker] = await cluster.settled(1)
  if (worker === undefined) throw new Error('there is no worker')
  const without = await cluster.command('drain', 'worker', worker.id)
  t.not(without.exit.code, exitCodes.ok)
  t.match(without.stderr, /--force/)
  t.equal((await cluster.settled(1))[0]?.id, worker.id, 'it still serves')
  const forced = await cluster.command('drain', 'worker', worker.id, '--force')
  t.equal(forced.exit.code, exitCodes.ok, forced.stderr)
  t.not((await cluster.settled(1))[0]?.id, worker.id)
})

void t.test('another version gets slots only when none of the serving one lives, and the log says so', async (t) => {
  await using cluster = await startCluster()
  const serving = await cluster.settled()
  cluster.start('worker', '--version', 'v2')
  const guest = await until('a worker of version v2', async () =>
    (await cluster.workers()).find(({ version }) => version === 'v2'),
  )
  t.equal(guest.slots, 0)
  for (const { pid } of serving) process.kill(pid, 'SIGSTOP')
  await until('v2 to own all slots', async () =>
    (await cluster.slots()).every(({ owner, version }) => owner === guest.id && version === 'v2'),
  )
  t.match(cluster.output, /v2/)
  for (const { pid } of serving) signalIfRunning(pid, 'SIGCONT')
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  void t.test(`${signal} to the whole process group stops everything in order`, (t) => stopsInOrder(t, signal))
}

/** Clients are let go first, the engine ends last. */
async function stopsInOrder(t: Test, signal: NodeJS.Signals): Promise<void> {
  await using cluster = await startCluster({ ownGroup: true })
  const children = await cluster.children()
  const order: Role[] = ['proxy', 'worker', 'controller', 'engine']
  t.strictSame(new Set(children.map(roleOf)), new Set(order))
  t.equal(children.length, 5, 'one of each, and two workers')
  cluster.running.signalGroup(signal)
  await until(
    'all processes to end',
    async () => {
      const left = new Set((await processes()).map(({ pid }) => pid))
      const alive = children.filter(({ pid }) => left.has(pid)).map(roleOf)
      const first = order.findIndex((role) => alive.includes(role))
      for (const later of order.slice(first + 1)) {
        if (first !== -1 && !alive.includes(later)) t.fail(`the ${later} ended before the ${order[first]}`)
      }
      return alive.length === 0
    },
    15_000,
  )
  t.strictSame(await cluster.running.exited, { code: exitCodes.ok, signal: null })
  t.notMatch(cluster.output, /\b(?:ERROR|FATAL)\b/, 'nobody missed somebody who went before')
}

void t.test('a second Ctrl-C stops everything at once', async (t) => {
  await using cluster = await startCluster({ ownGroup: true })
  const children = (await cluster.children()).map(({ pid }) => pid)
  // A frozen child holds up the orderly way.
  process.kill(await cluster.pid('proxy'), 'SIGSTOP')
  cluster.running.signalGroup('SIGINT')
  await cluster.running.line('stopping', 5_000)
  // Within that time it would count as the first once more.
  await sleep(sameSignalMs + 100)
  const at = performance.now()
  cluster.running.signalGroup('SIGINT')
  t.strictSame(await cluster.running.exited, { code: signalExitCode.SIGINT, signal: null })
  t.ok(performance.now() - at < 1_000)
  await allEnded(children, 1_000)
})

/** Calls a method of the chat as one user in one room. */
async function chat(cluster: Cluster, method: string, data: Record<string, unknown>): Promise<unknown> {
  const centrifuge = new Centrifuge(cluster.socketUrls[0] ?? '', {
    websocket: WebSocket,
    token: await tokenFor('ada', { expiresIn: 3_600 }),
  })
  const subscription = centrifuge.newSubscription('lobby')
  subscription.subscribe()
  centrifuge.connect()
  try {
    await subscription.ready(5_000)
    return (await centrifuge.rpc(method, { channel: 'lobby', ...data })).data
  } finally {
    centrifuge.disconnect()
  }
}

void t.test('a killed supervisor takes all its children along, and its data serve the next', async (t) => {
  const cluster = await startCluster()
  t.teardown(() => cluster.stop())
  const sent = await chat(cluster, 'chat.send', { data: { text: 'to be kept' }, key: 'once' })
  const children = (await cluster.children()).map(({ pid }) => pid)
  cluster.running.signal('SIGKILL')
  await allEnded(children, orphanDeadlineMs)
  const next = await startCluster({ dataDirectory: cluster.dataDirectory })
  t.teardown(() => next.stop())
  t.match(await chat(next, 'chat.messages', {}), {
    messages: [{ offset: 1, user: 'ada', data: { text: 'to be kept' } }],
  })
  t.strictSame(
    await chat(next, 'chat.send', { data: { text: 'to be kept' }, key: 'once' }),
    sent,
    'the key still leads to the message',
  )
})

void t.test('a damaged data directory is one clear line', async (t) => {
  const directory = t.testdir()
  const cluster = await startCluster({ dataDirectory: directory })
  await cluster.running.stop()
  const databases = readdirSync(directory).filter((name) => /\.(?:db|sqlite)$/.test(name))
  t.ok(databases.length > 0)
  for (const name of databases) {
    truncateSync(join(directory, name), 0)
    writeFileSync(join(directory, name), 'this was a database once'.repeat(1_000))
  }
  const { exit, stderr } = await refused({ ...cluster.environment })
  t.ok(exit.code !== null && exit.code !== exitCodes.ok, `it ends with ${exit.code}`)
  t.equal(stderr.trim().split('\n').length, 1, stderr)
  t.ok(stderr.includes(directory))
})

void t.test('a bad configuration is one clear line', async (t) => {
  const file = join(t.testdir({ 'holdfast.yaml': 'http_server:\n  prot: 8000\n' }), 'holdfast.yaml')
  await using misspelt = new Running(['dev', '--config', file], { HOLDFAST_DATA_DIR: t.testdirName })
  const exit = await misspelt.exited
  t.not(exit.code, exitCodes.ok)
  t.match(misspelt.stderr, /prot.*port/)
  t.equal(misspelt.stderr.trim().split('\n').length, 1, misspelt.stderr)

  const number = await refused({ HOLDFAST_HTTP_SERVER_PORT: 'eight thousand' })
  t.ok(number.exit.code !== null && number.exit.code !== exitCodes.ok)
  t.match(number.stderr, /HOLDFAST_HTTP_SERVER_PORT|http_server\.port/)
  t.equal(number.stderr.trim().split('\n').length, 1, number.stderr)
})

void t.test('a command without a cluster says so in one line', async (t) => {
  await using command = new Running(['workers', '--json'], {
    HOLDFAST_CONTROLLER_PORT: String(await freePort()),
    HOLDFAST_DATA_DIR: t.testdir(),
  })
  t.not((await command.exited).code, exitCodes.ok)
  t.equal(command.stdout, '')
  t.equal(command.stderr.trim().split('\n').length, 1, command.stderr)
})
