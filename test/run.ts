/**
 * What `npm test` runs: brings what the machine lacks, runs the static checks, then every test with tap. The last
 * line counts assertions from tap's own report. Anything that failed, was skipped or left to do, and a run without
 * any test, ends with an exit code other than 0. Arguments name test files; without them all run.
 */
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { objections, ResultReader, type Remark } from './support/results.ts'

/** The whole of tap may take this long; a single file is bounded in .taprc. */
const tapDeadlineMs = 15 * 60_000

const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome']

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function runs(command: string, args: string[], quiet = false): boolean {
  return spawnSync(command, args, { stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'] }).status === 0
}

/** Makes sure that a Chromium is there for the browser tests. */
function bringChromium(): boolean {
  if (chromiumNames.some(isOnPath)) return true
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    console.log(
      `There is no ${chromiumNames.join(', ')} on the PATH: install one (it is brought only as root on Debian).`,
    )
    return false
  }
  console.log('There is no Chromium: running apt-get install chromium.')
  if (runs('apt-get', ['update', '-qq'], true) && runs('apt-get', ['install', '-y', '-qq', 'chromium'], true))
    return true
  console.log('apt-get could not install Chromium: install it by hand, then run the tests again.')
  return false
}

function printFailure({ name, detail }: Remark): void {
  console.log(`\n✖ ${name}\n${detail.replaceAll(/^/gm, '    ')}\n`)
}

/** Runs tap and reads its report; returns what speaks against the run, and the counts. */
async function runTap(files: string[]): Promise<{ reasons: string[]; passed: number; failed: number }> {
  const reader = new ResultReader(({ name, passed, failed, ms }) => {
    const mark = failed === 0 ? '✔' : '✖'
    console.log(
      `${mark} ${name}: ${passed} passed${failed === 0 ? '' : `, ${failed} failed`} (${(ms / 1000).toFixed(1)} s)`,
    )
  }, printFailure)
  const program = fileURLToPath(new URL('dist/esm/run.mjs', import.meta.resolve('tap/package.json')))
  const args = [program, 'run', '--reporter=jsonstream', '--coverage-report=text-summary']
  // A few files alone may cover nothing.
  if (files.length > 0) args.push('--allow-empty-coverage', ...files)
  const tap = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let overdue = false
  const watchdog = setTimeout(() => {
    overdue = true
    tap.kill('SIGTERM')
  }, tapDeadlineMs)
  const others: string[] = []
  for await (const line of createInterface({ input: tap.stdout })) {
    if (!reader.read(line) && line.trim() !== '') others.push(line)
  }
  // The coverage: tap prints it before the last results are through.
  console.log(others.join('\n'))
  clearTimeout(watchdog)
  const code = tap.exitCode ?? (await new Promise((resolve) => tap.once('exit', resolve)))
  const { results } = reader
  const reasons = objections(results)
  if (overdue) reasons.push(`the tests did not end within ${tapDeadlineMs / 60_000} minutes`)
  else if (reasons.length === 0 && code !== 0) reasons.push(`tap ended with ${String(code)}`)
  return { reasons, passed: results.passed, failed: results.failed.length }
}

const prepared = bringChromium()
const checked = runs('npm', ['run', '--silent', 'check'])
const { reasons, passed, failed } = await runTap(process.argv.slice(2))
if (!prepared) reasons.push('Chromium is missing')
if (!checked) reasons.push('a static check failed (npm run check)')
if (reasons.length > 0) console.log(`\n${reasons.join('\n')}\n`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = reasons.length === 0 ? 0 : 1
