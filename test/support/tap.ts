/** One run of tap: a process of its own, whose report is read as it comes. */
import { spawn } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { objections } from './results.ts'
import type { ResultReader } from './results.ts'

export interface TapOptions {
  env: NodeJS.ProcessEnv
  /** Of tap's own. */
  options: readonly string[]
  reader: ResultReader
  deadlineMs: number
  interrupted: AbortSignal
  /** Everybody else on this machine comes first. */
  isPatient?: boolean
}

/** Runs tap on some files; returns what speaks against the run itself. */
export async function runTap(files: readonly string[], how: TapOptions): Promise<string[]> {
  const { env, options, reader, deadlineMs, interrupted, isPatient = false } = how
  if (files.length === 0) return []
  const program = fileURLToPath(new URL('dist/esm/run.mjs', import.meta.resolve('tap/package.json')))
  // Coverage would take a minute, and nothing depends on it.
  const args = [program, 'run', '--reporter=jsonstream', '--disable-coverage', ...options, ...files]
  const tap = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
  // What it starts inherits that.
  if (isPatient && tap.pid !== undefined) setPriority(tap.pid, constants.priority.PRIORITY_LOW)
  const stop = (): boolean => tap.kill('SIGTERM')
  if (interrupted.aborted) stop()
  interrupted.addEventListener('abort', stop)
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
