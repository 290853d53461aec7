/** The processes of this machine, whoever started them. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

export interface ProcessEntry {
  pid: number
  parent: number
  command: string
}

/** All processes of the machine, dead ones (zombies) left out. */
export async function processes(): Promise<ProcessEntry[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,stat=,args='], {
    maxBuffer: 16 * 1024 * 1024,
  })
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parent, state = '', command = ''] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
    if (pid === undefined || state.startsWith('Z')) return []
    return [{ pid: Number(pid), parent: Number(parent), command }]
  })
}

/** The processes that `pid` started, and those that they started. */
export async function descendants(pid: number): Promise<ProcessEntry[]> {
  const all = await processes()
  const found: ProcessEntry[] = []
  for (let parents = new Set([pid]); parents.size > 0;) {
    const children = all.filter((entry) => parents.has(entry.parent))
    found.push(...children)
    parents = new Set(children.map((entry) => entry.pid))
  }
  return found
}

/** False once the process is gone, or a zombie that its new parent has not collected yet. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Sends a signal to a process that may have ended meanwhile. */
export function signalIfRunning(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
