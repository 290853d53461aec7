/**
 * Proves the supervisor with children that do nothing: it starts in stages, restarts what dies, stops in order, kills
 * at the second signal, takes its children with it however it dies, and gives up on a child that cannot start.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { exitCodes, signalExitCode } from '../../../platform/exit-codes.ts'
import { ended, environment } from '../../support/command.ts'
import { isAlive } from '../../support/process-table.ts'
import { until } from '../../support/until.ts'

const path = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

interface Entry {
  name: string
  what: string
  pid: number
}

interface Supervised {
  process: ChildProcess
  journal(): Entry[]
  /** The newest process of a child. */
  pidOf(name: string): number
  /** Waits until all children have served. */
  started(): Promise<void>
  /** What the supervisor said so far. */
  output(): string
}

/** Starts a supervisor of the groups; each child is its name and what it does, groups stop last to first. */
function supervise(t: Test, groups: string[][]): Supervised {
  const file = `${t.testdir({})}/journal`
  const env = environment({ JOURNAL: file })
  const specs = groups.map((children, index) => ({
    children: children.map((text) => {
      const args = text.split(' ')
      return { name: args[0], script: path('child.js'), args, nodeOptions: [], env }
    }),
    startStage: index,
    stopStage: groups.length - index,
  }))
  const child = spawn(process.execPath, [path('supervise.ts'), JSON.stringify(specs)], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    // A process group of its own, as a shell gives it one.
    detached: true,
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const journal = (): Entry[] => {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
    return lines.filter(Boolean).map((line) => {
      const [name = '', what = '', pid] = line.split(' ')
      return { name, what, pid: Number(pid) }
    })
  }
  t.teardown(() => child.kill('SIGKILL'))
  return {
    process: child,
    journal,
    pidOf: (name) => journal().findLast((entry) => entry.name === name && entry.what === 'start')?.pid ?? 0,
    started: async () => void (await until('started', () => output.includes('started\n'))),
    output: () => output,
  }
}

const starts = (journal: Entry[], name: string) =>
  journal.filter((entry) => entry.name === name && entry.what === 'start')

void t.test('says what its children wait for, and how many serve', async (t) => {
  const cluster = supervise(t, [['engine ready'], ['proxy ready', 'worker-1 waiting', 'worker-2 waiting', 'slow']])
  const said = 'not ready: waits for store mysql://127.0.0.1/db (ECONNREFUSED); 2 of 5 processes ready'
  await until('it is said', () => cluster.output().includes(said))
  await until('and again', () => cluster.output().split(said).length > 2)
})

void t.test('names the children that say nothing', async (t) => {
  const cluster = supervise(t, [['engine ready'], ['proxy ready', 'slow']])
  await until('they are named', () => cluster.output().includes('not ready: waits for slow; 2 of 3 processes ready'))
})

void t.test('starts in stages and restarts what is killed, again and again', async (t) => {
  const cluster = supervise(t, [['engine ready'], ['proxy ready', 'worker ready']])
  await cluster.started()
  t.equal(cluster.journal()[0]?.name, 'engine')
  for (let round = 1; round <= 4; round++) {
    const pid = cluster.pidOf('worker')
    process.kill(pid, 'SIGKILL')
    await until('the worker is back', () => starts(cluster.journal(), 'worker').length === round + 1, 3_000)
    t.not(cluster.pidOf('worker'), pid)
  }
  t.equal(starts(cluster.journal(), 'engine').length, 1)
})

void t.test('stops in order, and a signal that comes twice at once counts once', async (t) => {
  const cluster = supervise(t, [['engine ready'], ['worker ready'], ['proxy ready']])
  await cluster.started()
  cluster.process.kill('SIGINT')
  cluster.process.kill('SIGINT')
  t.same(await ended(cluster.process), { code: exitCodes.ok, signal: null })
  const stopped = cluster.journal().filter((entry) => entry.what === 'stopped')
  t.same(
    stopped.map((entry) => entry.name),
    ['proxy', 'worker', 'engine'],
  )
})

void t.test('stops in order also when the signal comes to the whole process group', async (t) => {
  const cluster = supervise(t, [['engine ready asks'], ['worker ready asks'], ['proxy ready asks']])
  await cluster.started()
  process.kill(-cluster.process.pid!, 'SIGTERM')
  t.same(await ended(cluster.process), { code: exitCodes.ok, signal: null })
  t.same(
    cluster.journal().flatMap(({ name, what }) => (what === 'stopped' ? name : [])),
    ['proxy', 'worker', 'engine'],
  )
})

void t.test('a child that alone is told to stop does, and is started anew', async (t) => {
  const cluster = supervise(t, [['engine ready asks'], ['worker ready asks']])
  await cluster.started()
  process.kill(cluster.pidOf('worker'), 'SIGTERM')
  await until('it is back', () => starts(cluster.journal(), 'worker').length === 2)
  t.same(
    cluster.journal().flatMap(({ name, what }) => (what === 'stopped' ? name : [])),
    ['worker'],
  )
  cluster.process.kill('SIGTERM')
  t.same(await ended(cluster.process), { code: exitCodes.ok, signal: null })
})

void t.test('a second signal kills all of it at once', async (t) => {
  const cluster = supervise(t, [['engine ready'], ['proxy ready deaf']])
  await cluster.started()
  const pids = [cluster.pidOf('engine'), cluster.pidOf('proxy')]
  cluster.process.kill('SIGINT')
  await until('the stop has begun', () => cluster.journal().some((entry) => entry.what === 'sigterm'))
  cluster.process.kill('SIGTERM')
  t.same(await ended(cluster.process), { code: signalExitCode.SIGTERM, signal: null })
  await until('all are gone', () => !pids.some(isAlive))
  t.notOk(cluster.journal().some((entry) => entry.name === 'engine' && entry.what === 'stopped'))
})

void t.test('a child that does not stop is killed after its time', async (t) => {
  const cluster = supervise(t, [['engine ready'], ['proxy ready deaf']])
  await cluster.started()
  cluster.process.kill('SIGTERM')
  t.same(await ended(cluster.process), { code: exitCodes.ok, signal: null })
  t.ok(cluster.journal().some((entry) => entry.name === 'engine' && entry.what === 'stopped'))
})

void t.test('kill -9 of the supervisor ends every child', async (t) => {
  const cluster = supervise(t, [['engine ready'], ['proxy ready', 'worker ready']])
  await cluster.started()
  const pids = ['engine', 'proxy', 'worker'].map((name) => cluster.pidOf(name))
  t.ok(pids.every(isAlive))
  cluster.process.kill('SIGKILL')
  await until('all are gone', () => !pids.some(isAlive))
})

void t.test('children share the process group of the supervisor', async (t) => {
  const cluster = supervise(t, [['engine ready']])
  await cluster.started()
  const groupOf = (pid: number) =>
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[2]
  t.equal(groupOf(cluster.pidOf('engine')), groupOf(cluster.process.pid!))
})

void t.test('a child that cannot start ends the cluster with its code', async (t) => {
  const cluster = supervise(t, [['engine ready'], ['worker ready', `proxy exit=${exitCodes.portInUse}`]])
  t.same(await ended(cluster.process), { code: exitCodes.portInUse, signal: null })
  t.equal(starts(cluster.journal(), 'proxy').length, 1)
  await until('all are gone', () => !isAlive(cluster.pidOf('engine')) && !isAlive(cluster.pidOf('worker')))
})

void t.test('a child that crashes is tried again, also with such a code once it has served', async (t) => {
  const cluster = supervise(t, [[`engine ready exit=${exitCodes.portInUse}`], [`worker exit=${exitCodes.failure}`]])
  await until('three starts each', () =>
    ['engine', 'worker'].every((name) => starts(cluster.journal(), name).length >= 3),
  )
  t.equal(cluster.process.exitCode, null)
})
