/**
 * Proves the launcher: it runs the command line under a Node that can, whatever Node it was called with, passes on
 * signals and exit codes, and takes its child with it when it is killed. An old Node is one that says it is.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { exitCodes } from '../../platform/exit-codes.ts'
import { ended, environment, holdfast, run } from '../support/command.ts'
import { isAlive } from '../support/process-table.ts'
import { launcher } from '../support/process.ts'
import { until } from '../support/until.ts'

/** Runs before the launcher and makes this Node claim to be version 20. */
const asNode20 =
  "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.20.2'}})"
const old = ['--import', asNode20]

void t.test('runs in this process where Node is new enough', async (t) => {
  const { code, stdout, stderr } = await holdfast(['--version'], t.testdir({}))
  t.same({ code, stderr }, { code: exitCodes.ok, stderr: '' })
  t.match(stdout, /^\d+\.\d+\.\d+\n$/)
})

void t.test('runs under the bundled Node where the caller is older, with its output and exit code', async (t) => {
  const options = { cwd: t.testdir({}), env: environment() }
  const version = await run(process.execPath, [...old, launcher, '--version'], options)
  t.match(version, { code: exitCodes.ok, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' })
  const bad = await run(process.execPath, [...old, launcher, 'config', 'check', '--log_level', 'loud'], options)
  t.match(bad, { code: exitCodes.badConfig, stdout: '', stderr: /^holdfast: log_level .*\n$/ })
})

void t.test(
  'installed without install scripts, or with none of its dependencies: one line that says what to run',
  async (t) => {
    // Outside the project, whose Node would be found from any folder below it.
    const cwd = mkdtempSync(join(tmpdir(), 'holdfast-launcher-'))
    t.teardown(() => rmSync(cwd, { recursive: true }))
    const copy = join(cwd, 'holdfast.mjs')
    cpSync(launcher, copy)
    const launch = () => run(process.execPath, [...old, copy], { cwd, env: environment() })
    const needs = 'holdfast: needs Node.js 26 or newer, this is 20.20.2'
    t.same(await launch(), {
      code: exitCodes.failure,
      signal: null,
      stdout: '',
      stderr: `${needs}; "npm ci" brings one along\n`,
    })
    // As `npm ci --ignore-scripts` leaves it.
    mkdirSync(join(cwd, 'node_modules/node'), { recursive: true })
    const advice = 'the one that npm brings along was not set up: run "npm rebuild node"'
    t.same(await launch(), { code: exitCodes.failure, signal: null, stdout: '', stderr: `${needs}; ${advice}\n` })
  },
)

void t.test(
  'npm brings the Node also without what is for development, and may run the script that fetches it',
  async (t) => {
    const { dependencies, allowScripts, engines } = JSON.parse(
      readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
    ) as Record<string, Record<string, unknown>>
    t.type(dependencies?.['node'], 'string')
    const { packages } = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: true }>
    }
    const withScripts = Object.keys(packages).filter((path) => packages[path]?.hasInstallScript)
    const names = withScripts.map((path) => path.replace(/^.*node_modules\//, ''))
    t.same(Object.keys(allowScripts ?? {}).toSorted(), names.toSorted(), 'each is decided: npm asks about none')
    t.equal(allowScripts?.['node'], true)
    t.equal(engines?.['node'], '>=20', 'of the launcher: npm warns before each command where the caller has another')
  },
)

/** A launcher beside a main.ts that waits, in a folder of its own that reaches the project's modules. */
async function waiting(t: Test) {
  const main = `
    import { followParent } from '${new URL('../../platform/lifeline.ts', import.meta.url).href}'
    export async function main() {
      followParent()
      process.on('SIGTERM', () => process.exit(7))
      process.on('SIGINT', () => process.kill(process.pid, 'SIGKILL'))
      setInterval(() => {}, 1000)
      process.stdout.write(process.pid + '\\n')
    }`
  const cwd = t.testdir({
    cli: { 'main.ts': main },
    node_modules: { node: { bin: { node: t.fixture('symlink', process.execPath) } } },
  })
  cpSync(launcher, `${cwd}/cli/holdfast.mjs`)
  const child = spawn(process.execPath, [...old, `${cwd}/cli/holdfast.mjs`], {
    cwd,
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await until('running', () => output.endsWith('\n'))
  const pid = Number(output)
  t.not(pid, child.pid)
  return { child, pid }
}

void t.test('passes on a signal and the exit code', async (t) => {
  const { child } = await waiting(t)
  child.kill('SIGTERM')
  t.same(await ended(child), { code: 7, signal: null })
})

void t.test('ends by the signal that ended its child', async (t) => {
  const { child } = await waiting(t)
  child.kill('SIGINT')
  t.same(await ended(child), { code: null, signal: 'SIGKILL' })
})

void t.test('its child does not outlive it, also when it is killed', async (t) => {
  const { child, pid } = await waiting(t)
  child.kill('SIGKILL')
  await until('the child is gone', () => !isAlive(pid))
})

void t.test('stops when the shell between npm and it dies, for npm has no other way to tell it', async (t) => {
  const cwd = t.testdir({
    'main.ts': `export async function main() {
      process.on('SIGTERM', () => process.exit(0))
      setInterval(() => {}, 1000)
      process.stdout.write(process.pid + '\\n')
    }`,
  })
  cpSync(launcher, `${cwd}/holdfast.mjs`)
  // The second command keeps the shell from becoming the first.
  const shell = spawn('/bin/sh', ['-c', `"${process.execPath}" "${cwd}/holdfast.mjs"; true`], {
    env: environment({ npm_command: 'run' }),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  shell.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await until('running', () => output.endsWith('\n'))
  shell.kill('SIGTERM')
  await until('it is gone', () => !isAlive(Number(output)))
})
