import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ServiceError } from './errors.ts'
import { hasEnded, lookAt } from './process-state.ts'

/** A process known by its id. The id alone may by now belong to another one: `marker` stands in its command line. */
export interface DaemonId {
  pid: number
  marker: string
}

export interface DaemonOptions {
  command: string
  args: string[]
  /** A text of the command line that no other process has, such as the path of its configuration. */
  marker: string
  /** File that takes stdout and stderr, emptied first. */
  outputPath: string
  /** True lets it outlive this process; otherwise it is killed when this process exits. */
  detached: boolean
}

/** A server process of our own making. */
export interface Daemon extends DaemonId {
  /** Null while it runs, then how it ended. */
  readonly end: string | null
  readonly ended: Promise<string>
}

/** A stop may take this long before the process is killed. */
export const stopDeadlineMs = 20_000

/** A killed process is gone from the table after this at the latest. */
export const killDeadlineMs = 10_000

/** How often a process is looked for. */
export const lookMs = 20

/** Lines of output that an error quotes. */
export const quotedLinesMax = 5

/** Starts a server process. Resolves once it runs, which is long before it answers. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const output = openSync(options.outputPath, 'w', 0o600)
  const child = spawn(options.command, options.args, {
    stdio: ['ignore', output, output],
    detached: options.detached,
  })
  closeSync(output)
  const ended = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => {
    process.off('exit', kill)
    return (end = code === null ? `by ${signal}` : `with ${code}`)
  })
  const kill = (): boolean => child.kill('SIGKILL')
  let end: string | null = null
  try {
    await Promise.race([once(child, 'spawn'), ended])
  } catch (error) {
    throw new ServiceError(`cannot run ${options.command}: ${(error as Error).message}`, { cause: error })
  }
  if (options.detached) child.unref()
  else process.on('exit', kill)
  return {
    pid: child.pid!,
    marker: options.marker,
    ended,
    get end() {
      return end
    },
  }
}

/** The last lines that a process wrote to its output file, on one line. */
export function lastOutput(outputPath: string): string {
  const lines = readFileSync(outputPath, 'utf8').trim().split('\n')
  return lines.slice(-quotedLinesMax).join(' | ')
}

/** True while the process runs; a frozen one counts, one that has begun to end does not. */
export async function isRunning({ pid, marker }: DaemonId): Promise<boolean> {
  return (await lookAt(pid))?.commandLine.includes(marker) ?? false
}

/** Ends a process in order, or kills it after `stopDeadlineMs`. False when it did not run. */
export async function stopDaemon(daemon: DaemonId): Promise<boolean> {
  if (!(await isRunning(daemon))) return false
  send(daemon.pid, 'SIGTERM')
  // A frozen process would never take the order.
  send(daemon.pid, 'SIGCONT')
  if (!(await isGone(daemon, stopDeadlineMs))) await killDaemon(daemon)
  return true
}

/** Ends a process at once, as `kill -9` does, and waits until it is gone. False when it did not run. */
export async function killDaemon(daemon: DaemonId): Promise<boolean> {
  if (!(await isRunning(daemon))) return false
  send(daemon.pid, 'SIGKILL')
  if (!(await isGone(daemon, killDeadlineMs))) throw new ServiceError(`process ${daemon.pid} cannot be killed`)
  return true
}

async function isGone(daemon: DaemonId, deadlineMs: number): Promise<boolean> {
  const end = performance.now() + deadlineMs
  while (!hasEnded(await lookAt(daemon.pid), daemon.marker)) {
    if (performance.now() >= end) return false
    await sleep(lookMs)
  }
  return true
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It ended in between.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
