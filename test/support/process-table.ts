/** The processes of this machine, whoever started them. */
import { execFile } from 'node:child_process'
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

/** True while a process with that id runs. */
export async function isRunning(pid: number): Promise<boolean> {
  return (await processes()).some((entry) => entry.pid === pid)
}

/** Sends a signal to a process that may have ended meanwhile. */
export function signalIfRunning(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
