// Proves that a run of the tests is judged from what tap really reports: failures, tests that hang, crash, are skipped
// or left to do, files without a test, and a run without any are all told apart and never pass for good.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { cleanEnvironment } from './process.ts'
import { objections, ResultReader, summed, type FileResult, type Results } from './results.ts'

const tap = fileURLToPath(new URL('dist/esm/run.mjs', import.meta.resolve('tap/package.json')))

/** Runs real tap on a folder of files; returns what the reader made of it. */
function run(folder: string): { results: Results; files: FileResult[] } {
  const { stdout } = spawnSync(process.execPath, [tap, 'run', '--disable-coverage', '--reporter=jsonstream'], {
    cwd: folder,
    env: cleanEnvironment(),
    encoding: 'utf8',
  })
  const files: FileResult[] = []
  const reader = new ResultReader(
    (file) => files.push(file),
    () => undefined,
  )
  for (const line of stdout.split('\n')) reader.read(line)
  return { results: reader.results, files }
}

const settings = {
  'package.json': '{"name":"example","version":"1.0.0","type":"module"}',
  '.taprc': 'type-strip-only: true\njobs: 1\ninclude:\n  - "*.test.ts"\n',
}

const header = `import t from 'tap'\n`

void t.test('every way not to pass is told', async (t) => {
  const folder = t.testdir({
    ...settings,
    'fine.test.ts': `${header}t.test('fine', async (t) => { t.ok(1); t.ok(2) })`,
    'wrong.test.ts': `${header}t.test('wrong', async (t) => { t.ok(1); t.equal(1, 2) })`,
    'crash.test.ts': `${header}t.ok(1)\nt.teardown(() => process.kill(process.pid, 'SIGKILL'))`,
    'hang.test.ts': `${header}t.setTimeout(300)\nt.test('hang', async () => { await new Promise((r) => setTimeout(r, 60_000)) })`,
    'later.test.ts': `${header}t.test('later', { todo: true }, async () => {})\nt.test('never', { skip: 'no' }, async () => {})`,
    'inner.test.ts': `${header}t.test('inner', async (t) => { t.plan(0, 'nothing here') })`,
    'empty.test.ts': 'export {}',
    'silent.test.ts': `${header}t.test('silent', async () => {})`,
  })
  const { results, files } = run(folder)
  t.equal(results.passed, 4)
  t.equal(results.files, 8)
  t.match(
    results.failed.map(({ name }) => name),
    ['crash.test.ts', 'hang.test.ts > hang > timeout!', 'wrong.test.ts > wrong > should be equal'],
  )
  t.strictSame(objections(results).sort(), [
    'failed: crash.test.ts',
    'failed: wrong.test.ts > wrong > should be equal',
    'hung, it did not end in time: hang.test.ts > hang > timeout!',
    'nothing is asserted in empty.test.ts',
    'nothing is asserted in silent.test.ts',
    'skipped: inner.test.ts > inner (nothing here)',
    'skipped: later.test.ts > never (no)',
    'todo: later.test.ts > later',
  ])
  t.match(
    files.find(({ name }) => name === 'wrong.test.ts'),
    { passed: 1, failed: 1 },
  )
  t.match(results.failed.find(({ name }) => name.startsWith('wrong'))?.detail, /expected/)
})

void t.test('a test that never gives up the processor is told as one that hangs', async (t) => {
  const loop = `${header}t.setTimeout(500)\nt.ok(1)\nsetTimeout(() => { for (;;); })`
  const { results } = run(t.testdir({ ...settings, 'loop.test.ts': loop }))
  t.strictSame(objections(results), ['hung, it did not end in time: loop.test.ts'])
})

void t.test('nothing speaks against a good run', async (t) => {
  const { results } = run(
    t.testdir({ ...settings, 'fine.test.ts': `${header}t.test('fine', async (t) => { t.ok(1) })` }),
  )
  t.strictSame(objections(results), [])
  t.equal(results.passed, 1)
})

void t.test('a run without any test does not pass', async (t) => {
  const { results } = run(t.testdir(settings))
  t.strictSame(objections(results), ['no test ran at all'])
})

void t.test('several runs are judged as one: what failed in any of them, and whether anything ran', async (t) => {
  const nothing = new ResultReader(
    () => undefined,
    () => undefined,
  ).results
  const good: Results = { ...nothing, passed: 2, files: 1 }
  const bad: Results = { ...nothing, passed: 1, failed: [{ name: 'wrong', detail: '' }], files: 2, empty: ['silent'] }
  t.match(summed([good, nothing, bad]), { passed: 3, files: 3, failed: [{ name: 'wrong' }] })
  t.strictSame(objections(summed([good, nothing])), [])
  t.strictSame(objections(summed([good, bad])), ['failed: wrong', 'nothing is asserted in silent'])
  t.strictSame(objections(summed([nothing, nothing])), ['no test ran at all'])
})
