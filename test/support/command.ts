/** Commands that run to their end, and what became of them. */
import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { cleanEnvironment, launcher } from './process.ts'

export interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** The environment of a command: a clean one, and what is given. */
export function environment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { ...cleanEnvironment(), ...extra }
}

/** Runs a command to its end. */
export async function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<Outcome> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { code, signal, stdout, stderr }
}

/** Runs `holdfast` to its end, in `cwd`. */
export function holdfast(args: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<Outcome> {
  return run(process.execPath, [launcher, ...args], { cwd, env: environment(env) })
}

/** Resolves with how a process ended. */
export async function ended(child: ChildProcess): Promise<Pick<Outcome, 'code' | 'signal'>> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return { code: child.exitCode, signal: child.signalCode }
}
