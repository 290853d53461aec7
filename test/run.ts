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
import { fileURLToPath } from 'node:url'
import { servicesDown, servicesUp, type Services } from '../compose/services/services.ts'
import { objections, ResultReader, summed, type Remark } from './support/results.ts'
import { logVariable, storeVariable } from './support/services.ts'
import { runTap } from './support/tap.ts'
import { bringTools } from './support/tools.ts'

/** All tests may take this long, on a machine that is busy with something else; a single file is bounded in .taprc. */
const tapDeadlineMs = 25 * 60_000

/** Those in test/long may. */
const longDeadlineMs = 3 * 3_600_000

/** Seconds that a file of those may take. */
const longTimeout = 3_600

/** Files that run together. */
interface Group {
  files: RegExp
  /** How many run at the same time, on two cores: most of them wait most of the time. */
  jobs: number
  /** Seconds that a file may take; without it what .taprc says. */
  timeout?: number
}

/**
 * Files that need nothing but processor time, and look at no clock but the processor's. They run beside the others, which
 * wait for processes and networks half of the time, and get what those leave.
 */
const patient: Group = { files: /^test\/simulation\//, jobs: 1, timeout: 1_200 }

/** Files that look at memory, a screen or how soon something is answered: nothing runs beside them. */
const alone: Group = { files: /^test\/(browser|bad-input|long)\//, jobs: 1 }

/** Files that start whole clusters, and load them. */
const clusters: Group = { files: /^test\/(integrity|compose)\//, jobs: 2 }

const others: Group = { files: /./, jobs: 4 }

/** A file is of the first group that it matches. */
const groups = [patient, alone, clusters, others]

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

/** Runs the test files that are wanted; returns what speaks against the run, and the counts. */
async function runFiles(
  wanted: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ reasons: string[]; passed: number; failed: number }> {
  const isLong = wanted.includes('--long')
  const named = wanted.filter((argument) => argument !== '--long')
  const files = named.length > 0 ? named : globSync(isLong ? 'test/long/*.long.ts' : 'test/**/*.test.ts').sort()
  const end = performance.now() + (isLong ? longDeadlineMs : tapDeadlineMs)
  const readers: ResultReader[] = []
  const together = Map.groupBy(files, (file) => groups.find((group) => group.files.test(file))!)
  const run = async (group: Group): Promise<string[]> => {
    const reader = new ResultReader(printFile, printFailure)
    readers.push(reader)
    const timeout = isLong ? longTimeout : group.timeout
    const options = [`--jobs=${group.jobs}`, ...(timeout === undefined ? [] : [`--timeout=${timeout}`])]
    const deadlineMs = end - performance.now()
    // The group before has said so.
    if (deadlineMs <= 0) return []
    const { signal } = interrupted
    const how = { env, options, reader, deadlineMs, interrupted: signal, isPatient: group === patient }
    return runTap(together.get(group) ?? [], how)
  }
  const beside = run(patient)
  // What is over soon comes first.
  const reasons = [...(await run(others)), ...(await run(clusters)), ...(await beside), ...(await run(alone))]
  const results = summed(readers.map((reader) => reader.results))
  return { reasons: [...objections(results), ...reasons], passed: results.passed, failed: results.failed.length }
}

const lacking = await bringTools(say)
// It goes on while the services start.
const checking = check()
let services: Services | undefined
try {
  services = await bringServices()
} catch (error) {
  lacking.push(`there are no services: ${error instanceof Error ? error.message : String(error)}`)
}
const checked = await checking
const { reasons, passed, failed } = await runFiles(process.argv.slice(2), environmentWith(services))
if (services?.started !== false) await leaveServices()
reasons.push(...lacking)
if (interrupted.signal.aborted) reasons.push('the run was told to end')
if (!checked) reasons.push('a static check failed (npm run check)')
if (reasons.length > 0) console.log(`\n${reasons.join('\n')}\n`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = reasons.length === 0 ? 0 : 1
