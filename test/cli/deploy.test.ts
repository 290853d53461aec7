/**
 * Proves `deploy`, `rollback` and `releases` as a person meets them: with `holdfast dev`, which starts the workers of a
 * release, survives its own restart with it, and runs a checkout by its own command line; and with a controller whose
 * processes somebody else starts.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { exitCodes } from '../../platform/exit-codes.ts'
import { startCluster } from '../harness/processes/cluster.ts'
import type { Cluster } from '../harness/processes/cluster.ts'
import { badApp, goodApp, quickRollout } from '../harness/processes/releases.ts'
import { holdfast } from '../support/command.ts'
import { until } from '../support/until.ts'

interface Row {
  version: string
  state: string
  kind: string
}

async function releasesOf(cluster: Cluster): Promise<Row[]> {
  return JSON.parse((await cluster.command('releases', '--json')).stdout) as Row[]
}

async function workersOf(cluster: Cluster, version: string): Promise<number> {
  return (await cluster.workers()).filter((worker) => worker.version === version).length
}

/** Time in which a worker has to come, and where one that does not is waited for. */
const progressSeconds = 20
const shortProgressSeconds = 2

/** One worker of each version, and one slot: enough for what is proven here. */
const small = { HOLDFAST_DEV_WORKERS: '1', HOLDFAST_TOPICS_SLOTS: '2' }

/** A checkout that runs this one by its own command line, with a note in what it prints. */
function checkoutIn(directory: string): string {
  const path = join(directory, 'checkout')
  for (const folder of ['cli', 'node_modules']) mkdirSync(join(path, folder), { recursive: true })
  writeFileSync(join(path, 'package.json'), '{"name": "holdfast", "type": "module"}')
  const launcher = new URL('../../cli/holdfast.js', import.meta.url).href
  const note = join(directory, 'ran')
  const text = `import { writeFileSync } from 'node:fs'\nwriteFileSync('${note}', process.argv[1])\nimport('${launcher}')\n`
  writeFileSync(join(path, 'cli/holdfast.js'), text)
  return path
}

void t.test('on one machine', async (t) => {
  const apps = t.testdir({})
  let cluster = await startCluster({ settings: small })
  t.teardown(() => cluster.stop())

  await cluster.applied(quickRollout({ progressSeconds, isAnalysed: true }))

  await t.test('a release is kept, rolled out and watched', async (t) => {
    t.match(await releasesOf(cluster), [{ version: 'v1', state: 'serves', kind: 'configured' }])
    const app = goodApp(apps, 'v2')
    const { exit, stdout } = await cluster.command(
      'deploy',
      app,
      '--version',
      'v2',
      '--canary',
      '50,100',
      '--pause',
      '1s',
      '--watch',
    )
    t.equal(exit.code, exitCodes.ok)
    t.match(stdout, /^v2 is kept: a copy of .*\/v2 \(module, index\.ts\)\n/)
    t.match(stdout, /step 2 of 3/)
    await until('v2 serves', async () =>
      (await releasesOf(cluster)).some(({ version, state }) => version === 'v2' && state === 'serves'),
    )
    rmSync(app, { recursive: true })
  })

  await t.test('a restart of the supervisor goes on with the release that serves', async (t) => {
    const { dataDirectory } = cluster
    await cluster.running.stop()
    cluster = await startCluster({ settings: small, dataDirectory })
    t.equal(await workersOf(cluster, 'v2'), 1)
    t.ok((await cluster.slots()).every(({ version }) => version === 'v2'))
  })

  await t.test('rollback starts the workers of the release before', async (t) => {
    const { exit, stdout } = await cluster.command('rollback')
    t.equal(exit.code, exitCodes.ok, stdout)
    t.match(stdout, /^back to v1\n/)
    t.ok((await cluster.slots()).every(({ version }) => version === 'v1'))
    const { exit: unknown, stderr } = await cluster.command('rollback', '--to', 'v7')
    t.equal(unknown.code, exitCodes.failure)
    t.match(stderr, /v7 has never served: /)
  })

  await t.test('the release that serves stops last, so that no other takes its place', async (t) => {
    const { dataDirectory } = cluster
    await cluster.applied(quickRollout({ progressSeconds, keptSeconds: 600 }))
    const deployed = await cluster.command(
      'deploy',
      goodApp(apps, 'kept'),
      '--version',
      'kept',
      '--canary',
      '100',
      '--watch',
    )
    t.equal(deployed.exit.code, exitCodes.ok)
    t.equal((await cluster.command('rollback', '--to', 'v1')).exit.code, exitCodes.ok)
    await until('both run', async () => (await workersOf(cluster, 'kept')) + (await workersOf(cluster, 'v1')) === 2)
    await cluster.running.stop()
    t.notMatch(cluster.output, /takes over/)
    cluster = await startCluster({ settings: small, dataDirectory })
    t.ok((await cluster.slots()).every(({ version }) => version === 'v1'))
    await until('what was kept runs again', async () => (await workersOf(cluster, 'kept')) === 1)
  })

  await t.test('a canary that cannot start ends with 1 and harms nobody', async (t) => {
    await cluster.applied(quickRollout({ progressSeconds: shortProgressSeconds }))
    const before = await cluster.workers()
    const app = badApp(apps, 'bad', 'crash-loop')
    const { exit } = await cluster.command('deploy', app, '--version', 'bad', '--canary', '100', '--watch')
    t.equal(exit.code, exitCodes.failure)
    const v1 = (workers: { id: string; version: string }[]) =>
      workers.flatMap(({ id, version }) => (version === 'v1' ? id : []))
    t.same(v1(await cluster.workers()), v1(before))
    t.ok((await cluster.slots()).every(({ version }) => version === 'v1'))
  })

  await t.test('a checkout runs by its own command line', async (t) => {
    await cluster.applied(quickRollout({ progressSeconds }))
    const args = ['--version', 'v3', '--canary', '100', '--workers', '2', '--watch']
    const { exit, stdout } = await cluster.command('deploy', checkoutIn(apps), ...args)
    t.equal(exit.code, exitCodes.ok, stdout)
    // The rollout needs one of them: it may be over before the other is up.
    await until('both run', async () => (await workersOf(cluster, 'v3')) === 2)
    t.equal(readFileSync(join(apps, 'ran'), 'utf8'), join(cluster.dataDirectory, 'releases/v3/content/cli/holdfast.js'))
  })

  await t.test('the same version with other content is refused', async (t) => {
    const { exit, stderr } = await cluster.command('deploy', goodApp(apps, 'other'), '--version', 'v3')
    t.equal(exit.code, exitCodes.failure)
    t.match(stderr, /^holdfast: v3 was deployed at .* with other content; a version never changes/)
  })

  await t.test('of another data directory nothing is kept where nobody looks', async (t) => {
    const elsewhere = t.testdir({ 'controller.token': readFileSync(join(cluster.dataDirectory, 'controller.token')) })
    const { exit, stderr } = await cluster.command(
      'deploy',
      goodApp(apps, 'v4'),
      '--version',
      'v4',
      '--data_dir',
      elsewhere,
    )
    t.equal(exit.code, exitCodes.failure)
    t.match(stderr, new RegExp(`keeps its releases in ${cluster.dataDirectory}: say so with --data_dir`))
    t.notOk(existsSync(join(elsewhere, 'releases')))
  })
})

/** A controller without a supervisor, where v1 serves; tells what was applied. */
async function elsewhere(t: Test) {
  const api = fastify()
  const applied: unknown[] = []
  api.get('/api/v1/status', () => ({ supervisor: null, serving: 'v1', leader: true }))
  api.get('/api/v1/resources/Rollout/chat', (_request, reply) =>
    reply.code(404).send({ code: 'unknown_resource', message: 'no' }),
  )
  api.post('/api/v1/resources', (request) => {
    applied.push(request.body)
    return { outcomes: [{ kind: 'Rollout', name: 'chat', outcome: 'created' }], findings: [] }
  })
  await api.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => api.close())
  const cwd = t.testdir({ '.holdfast': { 'controller.token': 's3cret\n' }, 'app.js': '' })
  return { cwd, env: { HOLDFAST_CONTROLLER_PORT: String((api.server.address() as AddressInfo).port) }, applied }
}

void t.test('where no supervisor runs it says who has to start the workers', async (t) => {
  const { cwd, env, applied } = await elsewhere(t)
  const outcome = await holdfast(
    ['deploy', 'app.js', '--version', 'v2', '--canary', '20,100', '--pause', '5m'],
    cwd,
    env,
  )
  t.match(outcome, { code: exitCodes.ok, stderr: '' })
  t.match(outcome.stdout, /^No "holdfast dev" starts the processes of this cluster: .* workers of v2\.\n/)
  t.match(outcome.stdout, /Rollout\/chat created: "holdfast rollout get chat --watch" shows how far it is\n$/)
  const steps = [{ setWeight: 20 }, { pause: { duration: '5m' } }, { setWeight: 100 }]
  t.match(applied, [
    { resources: [{ kind: 'Rollout', spec: { strategy: { canary: { canaryService: 'v2', steps } } } }] },
  ])
  t.same(readdirSync(join(cwd, '.holdfast')), ['controller.token'], 'nothing is kept')
  const json = await holdfast(['deploy', 'app.js', '--version', 'v2', '--json'], cwd, env)
  t.same(JSON.parse(json.stdout), { version: 'v2', rollout: 'chat', outcome: 'created' })
})

void t.test('what cannot be meant is refused before anything is done', async (t) => {
  const { cwd, env, applied } = await elsewhere(t)
  const refused = async (args: string[], message: RegExp) => {
    const { code, stderr } = await holdfast(['deploy', ...args], cwd, env)
    t.equal(code, exitCodes.failure, args.join(' '))
    t.match(stderr, message)
  }
  await refused(['app.js'], /required option '--version/)
  await refused(['app.js', '--version', 'current'], /not "current"/)
  await refused(['app.js', '--version', '../v2'], /1 to 63 letters/)
  await refused(['app.js', '--version', 'v2', '--canary', '50,10'], /rising percents/)
  await refused(['app.js', '--version', 'v2', '--canary', '50,101'], /rising percents/)
  await refused(['app.js', '--version', 'v2', '--pause', 'long'], /a duration such as 30s/)
  await refused(['app.js', '--version', 'v2', '--workers', '0'], /a number from 1 to 64/)
  await refused(['nowhere', '--version', 'v2'], /nowhere: no such file or directory/)
  t.same(applied, [])
  const none = await holdfast(['releases'], cwd, env)
  t.match(none, { code: exitCodes.ok, stdout: 'no releases\n' })
})
