import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bringPrograms, findProgram, installDeadlineMs, outputBytesMax, run } from '../../compose/services/programs.ts'
import type { Say } from '../../compose/services/programs.ts'

/** Drives the cases of the Autobahn test suite, which itself needs Python 2. */
const kosokuVersion = '0.1.0'

/** All cases together may take this long. */
export const runDeadlineMs = 120_000

/** What became of a case and of the end of its connection, in the suite's words. */
export interface CaseResult {
  behavior: string
  behaviorClose: string
}

/**
 * Makes sure that kosoku is there, in a Python environment of its own that is kept for the next run, and resolves with
 * its path. Rejects with one line when it cannot be had.
 */
export async function bringKosoku(say: Say): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'holdfast')
  const environment = join(cache, `kosoku-${kosokuVersion}`)
  const kosoku = join(environment, 'bin', 'kosoku')
  if (await runs(kosoku, ['--help'])) return kosoku
  const python = await bringPython(say)
  say(`there is no kosoku: bringing ${kosokuVersion} with pip to ${environment}`)
  await run(python, ['-m', 'venv', '--clear', environment], installDeadlineMs)
  await run(join(environment, 'bin', 'pip'), ['install', '--quiet', `kosoku==${kosokuVersion}`], installDeadlineMs)
  return kosoku
}

/** A Python 3 that can make environments; Debian has that part in a package of its own. */
async function bringPython(say: Say): Promise<string> {
  const [python] = await bringPrograms(['python3'], ['python3', 'python3-venv'], say)
  if (await runs(python!, ['-c', 'import ensurepip, venv'])) return python!
  const aptGet = findProgram('apt-get')
  if (process.getuid?.() !== 0 || aptGet === undefined) {
    throw new Error(`${python} has no venv: install it (only as root on Debian is it brought, from python3-venv)`)
  }
  say(`${python} has no venv: running apt-get install python3-venv`)
  await run(aptGet, ['update', '-qq'], installDeadlineMs)
  await run(aptGet, ['install', '-y', '-qq', '--no-install-recommends', 'python3-venv'], installDeadlineMs)
  return python!
}

async function runs(command: string, args: string[]): Promise<boolean> {
  return run(command, args, installDeadlineMs).then(
    () => true,
    () => false,
  )
}

/** Runs every case against the server at `url`; `folder` takes the reports. Results are by the case's number. */
export async function runCases(kosoku: string, url: string, folder: string): Promise<Map<string, CaseResult>> {
  const args = [url, '--parallelism', '4', '--outdir', folder]
  try {
    await promisify(execFile)(kosoku, args, { timeout: runDeadlineMs, maxBuffer: outputBytesMax })
  } catch (error) {
    // 1 stands for cases that did not pass: those are in the report.
    if ((error as { code?: unknown }).code !== 1) throw error
  }
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as Record<
    string,
    Record<string, CaseResult>
  >
  return new Map(Object.values(index).flatMap((cases) => Object.entries(cases)))
}
