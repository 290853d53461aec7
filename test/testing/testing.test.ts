/**
 * Proves what a team's own tests get of `holdfast/testing`: the tests of docs/fault-injection.md run as they stand there,
 * against a cluster of real processes and out of a packed tarball in a project of its own; and what goes wrong has a code.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Faults, HoldfastFaultError } from 'holdfast/testing'
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { tokenFor } from '../harness/tokens.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const example = join(root, 'test/testing/example.js')

/** A project that has the package as it is published, and what its tests need beside it. */
function project(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-project-'))
  const modules = join(directory, 'node_modules')
  mkdirSync(join(modules, 'holdfast'), { recursive: true })
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]
  const [{ filename }] = JSON.parse(execFileSync('npm', pack, { cwd: root, encoding: 'utf8' })) as [
    { filename: string },
  ]
  execFileSync('tar', ['-xzf', join(directory, filename), '-C', join(modules, 'holdfast'), '--strip-components=1'])
  for (const name of ['centrifuge', 'ws', 'events', 'protobufjs'])
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  cpSync(example, join(directory, 'chat.test.js'))
  return directory
}

t.test('of a packed tarball, in a project of its own', async (t) => {
  const directory = project()
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  await t.test('the tests of the docs run as they stand there', async (t) => {
    t.ok(readFileSync(join(root, 'docs/fault-injection.md'), 'utf8').includes(readFileSync(example, 'utf8')))
    await using cluster = await startCluster()
    const env = {
      ...process.env,
      HOLDFAST_CONTROLLER_URL: `http://127.0.0.1:${cluster.controllerPort}`,
      HOLDFAST_DATA_DIR: cluster.dataDirectory,
      CHAT_URL: cluster.socketUrls[0],
      CHAT_TOKEN: await tokenFor('ada'),
      // A test of ours is no test of theirs.
      NODE_TEST_CONTEXT: undefined,
      NODE_OPTIONS: undefined,
    }
    const run = spawnSync(process.execPath, ['--test', 'chat.test.js'], {
      cwd: directory,
      env,
      encoding: 'utf8',
      timeout: 90_000,
    })
    t.equal(run.status, 0, run.stdout + run.stderr)
    t.match(run.stdout, /pass 3/)

    const faults = new Faults({ url: env.HOLDFAST_CONTROLLER_URL, dataDir: cluster.dataDirectory })
    const refused = (code: string) => ({ name: 'HoldfastFaultError', code })
    await t.rejects(faults.delay({ stage: 'db', fixedDelay: 'soon' }), refused('invalid_fault'))
    await t.rejects(new Faults({ url: env.HOLDFAST_CONTROLLER_URL, token: 'x' }).clear(), refused('unauthorized'))
    const said = async (...args: string[]) => {
      const { stdout, stderr } = await cluster.command('fault', ...args)
      return stdout + stderr
    }
    t.equal(await said('list'), 'no fault is set\n')
    const slow = ['--stage', 'db', '--delay', '20ms', '--percentage', '10', '--worker-version', 'v*']
    t.equal(await said('set', 'slow', ...slow, '--expires-after', '10m'), 'fault slow is set\n')
    t.match(await said('list'), /slow +db +delay 20ms 10% +\{"version":\{"prefix":"v"\}\} +(10m|9m\d+s)\n/)
    t.match(await said('set', 'none', '--stage', 'later'), /stage/)
    const file = join(directory, 'fault.yaml')
    writeFileSync(file, 'name: deadly\nstage: worker.afterPoll\nkill: { percentage: { value: 0 } }\n')
    t.equal(await said('set', '-f', file), 'fault deadly is set\n')
    t.equal(await said('clear', 'slow'), 'fault slow is cleared\n')
    t.equal(await said('clear', '--all'), 'fault deadly is cleared\n')
    await using first = await faults.delay({ stage: 'db', fixedDelay: '1ms', name: 'first' })
    await faults.clear()
    await first.clear()
  })
})

t.test('where no controller is, it says so', async (t) => {
  const faults = new Faults({ url: 'http://127.0.0.1:1', token: 't', timeoutMs: 100 })
  const error: unknown = await faults.kill({ stage: 'db' }).catch((error: unknown) => error)
  t.ok(error instanceof HoldfastFaultError)
  t.match(error, { code: 'unreachable', message: /127\.0\.0\.1:1/ })
  // Types keep from it whoever has them.
  // @ts-expect-error a delay has a time
  await t.rejects(faults.delay({ stage: 'db' }))
  // @ts-expect-error no such stage
  await t.rejects(faults.kill({ stage: 'later' }))
})
