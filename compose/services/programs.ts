import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { ServiceError, reasonOf } from './errors.ts'

/** Says what is being done, one plain line each. */
export type Say = (line: string) => void

/** Servers lie here, which the PATH of a plain user often lacks. */
const serverFolders = ['/usr/sbin', '/usr/local/sbin']

/** An installation may take this long. */
export const installDeadlineMs = 10 * 60_000

/** Another installation on this machine is waited for this long. */
const aptLockSeconds = 120

/** Bytes of output that are kept of a program that ran to its end. */
export const outputBytesMax = 16 * 1024 * 1024

/** The full path of the first of these programs on the PATH; undefined when there is none. */
export function findProgram(...names: string[]): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...serverFolders]
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Runs a program to its end and resolves with what it printed. Rejects with one line when it fails. */
export async function run(command: string, args: string[], deadlineMs: number): Promise<string> {
  try {
    const options = { timeout: deadlineMs, maxBuffer: outputBytesMax, env: { ...process.env, ...nonInteractive } }
    return (await promisify(execFile)(command, args, options)).stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    const lines = `${stdout}\n${stderr}`.trim().split('\n').slice(-3).join(' | ')
    throw new ServiceError(`${command} failed: ${lines || reasonOf(error)}`, { cause: error })
  }
}

const nonInteractive = { DEBIAN_FRONTEND: 'noninteractive' }

let installing: Promise<unknown> = Promise.resolve()

/**
 * The paths of programs, brought from Debian packages where one is missing, as root. Packages with servers are taken
 * without what would start them as services of the system. Rejects with one line when they cannot be had.
 */
export async function bringPrograms(programs: string[], packages: string[], say: Say): Promise<string[]> {
  const missing = (): string[] => programs.filter((program) => findProgram(program) === undefined)
  if (missing().length > 0) {
    // Two at once would find the package system locked.
    const begin = (): Promise<void> => install(missing(), packages, say)
    const installed = installing.then(begin, begin)
    installing = installed
    await installed
  }
  if (missing().length > 0)
    throw new ServiceError(`${missing().join(', ')} is not on the PATH, although ${packages.join(', ')} is installed`)
  return programs.map((program) => findProgram(program)!)
}

async function install(missing: string[], packages: string[], say: Say): Promise<void> {
  if (missing.length === 0) return
  const aptGet = findProgram('apt-get')
  if (process.getuid?.() !== 0 || aptGet === undefined)
    throw new ServiceError(
      `there is no ${missing.join(', ')} on the PATH: install it (only as root on Debian is it brought, from ${packages.join(', ')})`,
    )
  say(`there is no ${missing.join(', ')}: running apt-get install ${packages.join(' ')}`)
  await run(aptGet, ['update', '-qq'], installDeadlineMs)
  const options = ['-y', '-qq', '--no-install-recommends', '-o', `DPkg::Lock::Timeout=${aptLockSeconds}`]
  await run(aptGet, ['install', ...options, ...packages], installDeadlineMs)
}
