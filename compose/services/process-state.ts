import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** What the system says of a process. */
export interface ProcessState {
  /** One letter, as in proc_pid_status(5). */
  state: string
  threads: number
  /** Empty once it has begun to end. */
  commandLine: string
}

/** From the texts of /proc/PID/status and /proc/PID/cmdline. */
export function stateOf(status: string, commandLine: string): ProcessState {
  const of = (pattern: RegExp) => pattern.exec(status)?.[1] ?? ''
  return { state: of(/^State:\s+(\w)/m), threads: Number(of(/^Threads:\s+(\d+)/m)), commandLine }
}

/**
 * True when nothing is left of a process in whose command line `marker` stood. One that ends loses its memory, and so its
 * command line, before it closes its files; and its first thread may be dead while others still end. Only then are its
 * ports free. The id may belong to another process by now.
 */
export function hasEnded(process: ProcessState | null, marker: string): boolean {
  if (process === null) return true
  if (process.commandLine !== '') return !process.commandLine.includes(marker)
  return 'ZX'.includes(process.state) && process.threads <= 1
}

/** Null for a process that there is not. */
export async function lookAt(pid: number): Promise<ProcessState | null> {
  try {
    if (existsSync('/proc/self/status')) {
      const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8')
      return stateOf(await read('status'), await read('cmdline'))
    }
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'stat=,args=', '-p', String(pid)])
    const [, state = '', commandLine = ''] = /^\s*(\w)\S*\s+(.*)/s.exec(stdout) ?? []
    return { state, threads: 1, commandLine }
  } catch {
    return null
  }
}
