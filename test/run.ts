/**
 * What `npm test` runs: brings what the machine lacks, runs the static checks, then every test with tap. The last
 * line counts assertions from tap's own report. Anything that failed, was skipped or left to do, and a run without
 * any test, ends with an exit code other than 0. Arguments name test files; without them all run, and with `--long`
 * those that take too long for every day (test/long).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { servicesDown, servicesUp, type Services } from '../compose/services/services.ts'
import { objections, ResultReader, type Remark } from './support/results.ts'
import { logVariable, storeVariable } from './support/services.ts'
import { bringTools } from './support/tools.ts'

/** All tests may take this long, on a machine that is busy with something else; a single file is bounded in .taprc. */
const tapDeadlineMs = 25 * 60_000

/** Those in test/long may. */
const longDeadlineMs = 3 * 3_600_000

/**
 * Which files run together, and how many at the same time on two cores. A file is of the first group that it matches.
 */
const groups: { files: RegExp; jobs: number }[] = [
  // Files that use every core, or look at memory, a screen or how soon something is answered.
  { files: /^test\/(browser|bad-input|autobahn|simulation|long)\//, jobs: 1 },
  // Files that start whole clusters.
  { files: /^test\/(integrity|compose)\//, jobs: 2 },
  { files: /./, jobs: 3 },
]

/** Kafka and MySQL of the tests keep their data here; it is removed with them. */
const dataDir = fileURLToPath(new URL('../.holdfast-test', import.meta.url))

/** A run that is told to end stops what it started first. */
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort())

const say = (line: string): void => console.log(line)

/** Kafka and MySQL for the tests. What the environment names for them is taken, else what it names for Holdfast. */
function bringServices(): Promise<Services> {
  const env = {
    HOLDFAST_LOG: process.env[logVariable] ?? process.env['HOLDFAST_LOG'],
    HOLDFAST_STORE: process.env[storeVariable] ?? process.env['HOLDFAST_STORE'],
  }
  return servicesUp({ dataDir, env, say })
}

/** Stops what this run started, and removes its data. */
async function leaveServices(): Promise<void> {
  await servicesDown({ dataDir, say })
  await rm(dataDir, { recursive: true, force: true })
}

/**
 * Where Node keeps what it compiled, for each test file is a process of its own and most import the same modules. It is
 * the folder that the command line uses.
 */
const compileCache = { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') }

/** The environment of the tests: ours without any setting of Holdfast but the services. */
function environmentWith(services: Services | undefined): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_'))
  const named = services && { [logVariable]: services.log, [storeVariable]: services.storeAdmin }
  return { ...compileCache, ...Object.fromEntries(own), ...named }
}

/** True when the static checks pass. */
async function check(): Promise<boolean> {
  const npm = spawn('npm', ['run', '--silent', 'check'], { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = (await once(npm, 'exit')) as [number | null]
  return code === 0
}

function printFailure({ name, detail }: Remark): void {
  console.log(`\n✖ ${name}\n${detail.replaceAll(/^/gm, '    ')}\n`)
}

function printFile({ name, passed, failed, ms }: { name: string; passed: number; failed: number; ms: number }): void {
  const mark = failed === 0 ? '✔' : '✖'
  console.log(
    `${mark} ${name}: ${passed} passed${failed === 0 ? '' : `, ${failed} failed`} (${(ms / 1000).toFixed(1)} s)`,
  )
}

/** Runs tap on some files and reads its report; returns what speaks against the run itself. */
async function runTap(
  files: string[],
  options: string[],
  { env, reader, deadlineMs }: { env: NodeJS.ProcessEnv; reader: ResultReader; deadlineMs: number },
): Promise<string[]> {
  if (files.length === 0) return []
  const program = fileURLToPath(new URL('dist/esm/run.mjs', import.meta.resolve('tap/package.json')))
  // Coverage would take a minute, and nothing depends on it.
  const args = [program, 'run', '--reporter=jsonstream', '--disable-coverage', ...options, ...files]
  const tap = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
  const stop = (): boolean => tap.kill('SIGTERM')
  if (interrupted.signal.aborted) stop()
  interrupted.signal.addEventListener('abort', stop)
  let overdue = false
  const watchdog = setTimeout(() => {
    overdue = true
    stop()
  }, deadlineMs)
  const others: string[] = []
  for await (const line of createInterface({ input: tap.stdout })) {
    if (!reader.read(line) && line.trim() !== '') others.push(line)
  }
  // What tap says beside the results.
  console.log(others.join('\n'))
  clearTimeout(watchdog)
  const code = tap.exitCode ?? (await new Promise((resolve) => tap.once('exit', resolve)))
  if (overdue) return [`the tests did not end within ${Math.round(deadlineMs / 60_000)} minutes`]
  return code === 0 || objections(reader.results).length > 0 ? [] : [`tap ended with ${String(code)}`]
}

/** Runs the test files that are wanted; returns what speaks against the run, and the counts. */
async function runFiles(
  wanted: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ reasons: string[]; passed: number; failed: number }> {
  const isLong = wanted.includes('--long')
  const named = wanted.filter((argument) => argument !== '--long')
  const files = named.length > 0 ? named : globSync(isLong ? 'test/long/*.long.ts' : 'test/**/*.test.ts').sort()
  const reader = new ResultReader(printFile, printFailure)
  const end = performance.now() + (isLong ? longDeadlineMs : tapDeadlineMs)
  const reasons: string[] = []
  const together = Map.groupBy(files, (file) => groups.find((group) => group.files.test(file))!)
  // What is over soon comes first.
  for (const group of groups.toReversed()) {
    const options = [`--jobs=${group.jobs}`, ...(isLong ? ['--timeout=3600'] : [])]
    const deadlineMs = end - performance.now()
    // The group before has said so.
    if (deadlineMs <= 0) break
    reasons.push(...(await runTap(together.get(group) ?? [], options, { env, reader, deadlineMs })))
  }
  const { results } = reader
  reasons.unshift(...objections(results))
  return { reasons, passed: results.passed, failed: results.failed.length }
}

const lacking = await bringTools(say)
let services: Services | undefined
try {
  services = await bringServices()
} catch (error) {
  lacking.push(`there are no services: ${error instanceof Error ? error.message : String(error)}`)
}
const checked = await check()
const { reasons, passed, failed } = await runFiles(process.argv.slice(2), environmentWith(services))
if (services?.started !== false) await leaveServices()
reasons.push(...lacking)
if (interrupted.signal.aborted) reasons.push('the run was told to end')
if (!checked) reasons.push('a static check failed (npm run check)')
if (reasons.length > 0) console.log(`\n${reasons.join('\n')}\n`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = reasons.length === 0 ? 0 : 1
