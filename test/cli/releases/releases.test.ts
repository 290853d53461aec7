/**
 * Proves that releases lie side by side whatever happens while one is kept: whoever is stopped between two steps leaves
 * either all of it or nothing, and what is there stays usable. And what is kept, what is refused, and what is dropped.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ReleaseError } from '../../../cli/releases/errors.ts'
import { releaseFiles } from '../../../cli/releases/files.ts'
import type { ReleaseFiles } from '../../../cli/releases/files.ts'
import { Releases, releasesKept } from '../../../cli/releases/releases.ts'
import { sourceAt } from '../../../cli/releases/source.ts'

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute))

const code = (wanted: string, message: RegExp) => ({ name: ReleaseError.name, code: wanted, message })

void t.test('a module, a directory with one and a checkout are told apart', async (t) => {
  const directory = t.testdir({
    'app.ts': 'export const app = {}',
    named: { 'package.json': '{"main": "./lib/chat.js"}', lib: { 'chat.js': '' } },
    unnamed: { 'index.js': '', 'app.ts': '' },
    nothing: { 'readme.md': '' },
    broken: { 'package.json': '{' },
    outside: { 'package.json': '{"main": "../app.ts"}' },
    holdfast: { 'package.json': '{"name": "holdfast"}', cli: { 'holdfast.js': '' }, node_modules: {} },
    bare: { 'package.json': '{"name": "holdfast"}', cli: { 'holdfast.js': '' } },
  })
  const found = (name: string) => {
    const { kind, file, entry } = sourceAt(join(directory, name))
    return [kind, file, entry]
  }
  t.same(found('app.ts'), ['module', 'app.ts', 'app.ts'])
  t.same(found('named'), ['module', null, 'lib/chat.js'])
  t.same(found('unnamed'), ['module', null, 'index.js'])
  t.same(found('holdfast'), ['checkout', null, 'cli/holdfast.js'])
  t.throws(() => found('nowhere'), code('unfit', /nowhere: no such file/))
  t.throws(() => found('nothing'), code('unfit', /holds no app module: name it in "main"/))
  t.throws(() => found('broken'), code('unfit', /package\.json/))
  t.throws(() => found('outside'), code('unfit', /holds no app module/))
  t.throws(() => found('bare'), code('unfit', /run "npm ci" in it first/))
})

void t.test('a release is a copy: what becomes of the original does not matter', async (t) => {
  const directory = t.testdir({
    app: { 'index.js': 'one', node_modules: { a: { 'a.js': 'x' } }, '.git': { HEAD: '' } },
  })
  const app = join(directory, 'app')
  chmodSync(join(app, 'index.js'), 0o755)
  symlinkSync('index.js', join(app, 'link.js'))
  const releases = new Releases(join(directory, 'data'))
  const release = await releases.keep(sourceAt(app), { version: 'v2', workers: 3 }, at(1))
  writeFileSync(join(app, 'index.js'), 'two')
  const content = releases.contentOf(release)
  t.same(readdirSync(content).sort(), ['index.js', 'link.js', 'node_modules'])
  t.equal(readFileSync(join(content, release.entry), 'utf8'), 'one')
  t.equal(readlinkSync(join(content, 'link.js')), 'index.js')
  t.equal(statSync(join(content, 'index.js')).mode & 0o777, 0o755)
  t.same(releases.find('v2'), release)
  t.match(release, { version: 'v2', kind: 'module', entry: 'index.js', workers: 3, at: '2026-01-01T00:01:00.000Z' })
})

void t.test('a data directory in what is deployed is not copied into itself', async (t) => {
  const directory = t.testdir({ 'index.js': '' })
  const releases = new Releases(join(directory, '.holdfast'))
  const release = await releases.keep(sourceAt(directory), { version: 'v2', workers: null }, at(1))
  t.same(readdirSync(releases.contentOf(release)), ['index.js'])
})

void t.test('the same content again is the same release, other content is refused', async (t) => {
  const directory = t.testdir({ 'app.js': 'one', 'other.js': 'two' })
  const releases = new Releases(join(directory, 'data'))
  const first = await releases.keep(sourceAt(join(directory, 'app.js')), { version: 'v2', workers: null }, at(1))
  const again = await releases.keep(sourceAt(join(directory, 'app.js')), { version: 'v2', workers: 4 }, at(2))
  t.same(again, { ...first, workers: 4 })
  t.same(releases.find('v2'), again)
  for (const change of [
    () => writeFileSync(join(directory, 'app.js'), 'two'),
    () => chmodSync(join(directory, 'app.js'), 0o755),
  ]) {
    change()
    const refused = releases.keep(sourceAt(join(directory, 'app.js')), { version: 'v2', workers: null }, at(3))
    await t.rejects(refused, code('other_content', /v2 was deployed at 2026-01-01T00:01:00\.000Z with other content/))
  }
  t.same(releases.list(), [again])
})

void t.test('two that keep one version at the same time keep one of them', async (t) => {
  const directory = t.testdir({ 'app.js': 'one', 'other.js': 'two' })
  const [one, two] = [new Releases(join(directory, 'data')), new Releases(join(directory, 'data'))]
  const outcomes = await Promise.allSettled([
    one.keep(sourceAt(join(directory, 'app.js')), { version: 'v2', workers: null }, at(1)),
    two.keep(sourceAt(join(directory, 'other.js')), { version: 'v2', workers: null }, at(1)),
  ])
  t.same(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.equal(one.list().length, 1)
})

void t.test('what a copy cannot hold is refused by its name', async (t) => {
  const directory = t.testdir({
    outside: '',
    up: { 'index.js': '' },
    absolute: { 'index.js': '' },
  })
  symlinkSync('../outside', join(directory, 'up/link'))
  symlinkSync('/etc/hostname', join(directory, 'absolute/link'))
  // The path of a socket is short by its nature.
  const short = mkdtempSync(join(tmpdir(), 'r-'))
  writeFileSync(join(short, 'index.js'), '')
  const server = createServer().listen(join(short, 's'))
  t.teardown(() => server.close(() => rmSync(short, { recursive: true })))
  const releases = new Releases(join(directory, 'data'))
  const keepAt = (path: string) => releases.keep(sourceAt(path), { version: 'v2', workers: null }, at(1))
  const keep = (name: string) => keepAt(join(directory, name))
  await t.rejects(keep('up'), code('unfit', /up\/link leads out of the release, to \.\.\/outside/))
  await t.rejects(keep('absolute'), code('unfit', /absolute\/link leads out/))
  await t.rejects(keepAt(short), code('unfit', /\/s is no file/))
  t.same(readdirSync(join(directory, 'data/releases')), [], 'and leaves nothing')
})

void t.test('the newest five deployed ones are kept, and those that are needed', async (t) => {
  const directory = t.testdir({ 'app.js': '' })
  const releases = new Releases(join(directory, 'data'))
  releases.keepConfigured({ version: 'v1', app: 'chat' }, at(0))
  for (let i = 2; i <= 9; i++) {
    writeFileSync(join(directory, 'app.js'), String(i))
    await releases.keep(sourceAt(join(directory, 'app.js')), { version: `v${i}`, workers: null }, at(i))
  }
  t.same(releases.prune(new Set(['v3'])), ['v4', 'v2'])
  const kept = releases.list().map(({ version }) => version)
  t.same(kept, ['v9', 'v8', 'v7', 'v6', 'v5', 'v3', 'v1'])
  t.equal(kept.length, releasesKept + 2)
})

void t.test(
  'the app of the configuration is the first release, and a deployed one of its version comes first',
  async (t) => {
    const directory = t.testdir({ 'app.js': '' })
    const releases = new Releases(join(directory, 'data'))
    const first = releases.keepConfigured({ version: 'v1', app: 'chat' }, at(0))
    t.match(first, { version: 'v1', kind: 'configured', entry: 'chat' })
    t.same(releases.keepConfigured({ version: 'v1', app: 'chat' }, at(1)), first)
    t.match(releases.keepConfigured({ version: 'v1', app: '/other.ts' }, at(2)), { entry: '/other.ts' })
    releases.keepConfigured({ version: 'v3', app: 'chat' }, at(3))
    t.same(
      releases.list().map(({ version }) => version),
      ['v3'],
      'there is one',
    )
    const deploy = (version: string) =>
      releases.keep(sourceAt(join(directory, 'app.js')), { version, workers: null }, at(4))
    await t.rejects(deploy('v3'), code('other_content', /v3 is the version of the configuration/))
    await deploy('v4')
    t.match(releases.keepConfigured({ version: 'v4', app: 'chat' }, at(5)), { kind: 'module' })
  },
)

void t.test('current and wanted', async (t) => {
  const directory = t.testdir({ 'app.js': '' })
  const releases = new Releases(directory)
  t.equal(releases.current, null)
  t.same(releases.wanted, [])
  releases.keepConfigured({ version: 'v1', app: 'chat' }, at(0))
  await releases.keep(sourceAt(join(directory, 'app.js')), { version: 'v2', workers: null }, at(1))
  for (const version of ['v1', 'v2']) {
    releases.setCurrent(version)
    t.equal(releases.current?.version, version)
    t.equal(readlinkSync(join(directory, 'releases/current')), version)
  }
  releases.setWanted(['v1', 'v2', 'gone'])
  t.same(
    releases.wanted.map(({ version }) => version),
    ['v1', 'v2'],
  )
  t.throws(() => releases.get('gone'), code('unknown_release', /no release gone is kept, only v2, v1/))
})

/** Files that stop for good, as a killed process does, after so many steps. */
function stoppingAfter(steps: number): ReleaseFiles {
  let left = steps
  const stepped = Object.entries(releaseFiles).map(([name, step]) => [
    name,
    (...args: never[]) => {
      if (left === 0) throw new Stopped()
      left--
      return (step as (...args: never[]) => unknown)(...args)
    },
  ])
  return Object.fromEntries(stepped) as ReleaseFiles
}

class Stopped extends Error {}

void t.test('whoever is stopped between two steps leaves all of it or nothing', async (t) => {
  const directory = t.testdir({ 'one.js': 'one', 'two.js': 'two' })
  const data = join(directory, 'data')
  const source = (name: string) => sourceAt(join(directory, name))
  const sound = new Releases(data)
  sound.keepConfigured({ version: 'v1', app: 'chat' }, at(0))
  for (let i = 2; i < 2 + releasesKept; i++) {
    await sound.keep(source('one.js'), { version: `v${i}`, workers: null }, at(i))
  }
  sound.setCurrent('v2')
  sound.setWanted(['v2'])
  const before = sound.list()

  let isDone = false
  for (let steps = 0; !isDone; steps++) {
    const stopped = new Releases(data, stoppingAfter(steps))
    try {
      await stopped.keep(source('two.js'), { version: 'v9', workers: null }, at(9))
      stopped.prune(new Set(['v2']))
      stopped.setCurrent('v9')
      stopped.setWanted(['v2', 'v9'])
      isDone = true
    } catch (error) {
      if (!(error instanceof Stopped)) throw error
    }
    const after = new Releases(data)
    const others = after.list().filter(({ version }) => version !== 'v9')
    t.ok(others.every((release) => before.some((each) => JSON.stringify(each) === JSON.stringify(release))))
    t.ok(
      others.some(({ version }) => version === 'v2'),
      'what is needed is there',
    )
    const kept = after.find('v9')
    if (kept !== null) t.equal(readFileSync(join(after.contentOf(kept), kept.entry), 'utf8'), 'two')
    const names = readdirSync(join(data, 'releases')).filter((name) => !name.startsWith('.') && name !== 'current')
    t.same(
      names.sort(),
      after
        .list()
        .map(({ version }) => version)
        .sort(),
      'nothing half has a name',
    )
    t.ok(['v2', 'v9'].includes(after.current?.version ?? ''))
    t.ok(after.wanted.some(({ version }) => version === 'v2'))
    if (steps > 100) throw new Error('it never ends')
  }
})

void t.test('what a stopped process left is removed by the next', async (t) => {
  const directory = t.testdir({ 'app.js': '', data: { releases: {} } })
  const dead = 2 ** 22 + 1
  for (const pid of [dead, process.ppid]) mkdirSync(join(directory, `data/releases/.draft-${pid}-00ff`))
  const releases = new Releases(join(directory, 'data'))
  await releases.keep(sourceAt(join(directory, 'app.js')), { version: 'v2', workers: null }, at(1))
  t.notOk(existsSync(join(directory, `data/releases/.draft-${dead}-00ff`)))
  t.ok(existsSync(join(directory, `data/releases/.draft-${process.ppid}-00ff`)), 'somebody is at work there')
})
