/** A `holdfast …` of a test, with its output in memory; once, or started again whenever it ends. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

/** The command under test. */
export const launcher = fileURLToPath(new URL('../../cli/holdfast.js', import.meta.url))

/** Lines of output that are kept of one process. */
export const outputLinesMax = 5_000

/** A process may take this long to end after it was told to. */
export const exitDeadlineMs = 15_000

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/**
 * The caller's environment without what tap puts there to instrument its children (processes that are killed on
 * purpose and measured by the millisecond must run as they are), and without any setting of Holdfast.
 */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const instrumented = /^(?:HOLDFAST_|TAP|_TAPJS_|NODE_OPTIONS$|NODE_V8_COVERAGE$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !instrumented.test(name)))
}

/** A running `holdfast …`, with its output in memory. */
export class Running implements AsyncDisposable {
  readonly child: ChildProcess
  /** Settles when the process has ended and its output is complete. */
  readonly exited: Promise<Exit>
  readonly #lines: { stream: 'out' | 'err'; text: string }[] = []
  #exit: Exit | null = null

  /** With `ownGroup` it leads a process group, as a command does that a shell starts. */
  constructor(args: string[], environment: NodeJS.ProcessEnv, options: { ownGroup?: boolean } = {}) {
    this.child = spawn(process.execPath, [launcher, ...args], {
      env: { ...cleanEnvironment(), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: options.ownGroup ?? false,
    })
    this.#collect('out')
    this.#collect('err')
    this.exited = once(this.child, 'close').then(([code, signal]: (number | NodeJS.Signals | null)[]) => {
      this.#exit = { code: code as number | null, signal: signal as NodeJS.Signals | null }
      return this.#exit
    })
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the process did not start')
    return this.child.pid
  }

  /** Null while it runs. */
  get exit(): Exit | null {
    return this.#exit
  }

  get stdout(): string {
    return this.#text('out')
  }

  get stderr(): string {
    return this.#text('err')
  }

  /** Both streams, in the order in which lines came. */
  get output(): string {
    return this.#lines.map((line) => line.text).join('\n')
  }

  /** Waits for a line of stdout or stderr that contains `text`; fails at once when the process ends without it. */
  async line(text: string, deadlineMs: number): Promise<string> {
    const ended = (): Exit | null => this.#exit
    const found = await until(
      `a line with "${text}"`,
      () => this.#lines.find((line) => line.text.includes(text))?.text ?? ended(),
      deadlineMs,
    ).catch((error: unknown) => {
      throw new Error(`${(error as Error).message} in:\n${this.output}`, { cause: error })
    })
    if (typeof found === 'string') return found
    throw new Error(`ended (${JSON.stringify(found)}) without a line with "${text}":\n${this.output}`)
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Everything in its process group gets it, as from a terminal's Ctrl-C. Only for one with its own group. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal)
  }

  /** Tells it to end, and kills it when it does not. */
  async stop(): Promise<Exit> {
    if (this.#exit !== null) return this.#exit
    this.signal('SIGTERM')
    const killer = setTimeout(() => this.signal('SIGKILL'), exitDeadlineMs)
    try {
      return await this.exited
    } finally {
      clearTimeout(killer)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #collect(stream: 'out' | 'err'): void {
    const input = stream === 'out' ? this.child.stdout : this.child.stderr
    if (input === null) return
    createInterface({ input }).on('line', (text) => {
      this.#lines.push({ stream, text })
      if (this.#lines.length > outputLinesMax) this.#lines.shift()
    })
  }

  #text(stream: 'out' | 'err'): string {
    const lines = this.#lines.filter((line) => line.stream === stream)
    return lines.map((line) => `${line.text}\n`).join('')
  }
}

/** A `holdfast …` that is started again whenever it ends, until stop(): what an orchestrator does. */
export class Kept implements AsyncDisposable {
  /** The process that runs now, or the last one. */
  running: Running
  readonly #before: string[] = []
  readonly #start: () => Running
  #isStopped = false

  constructor(args: string[], environment: NodeJS.ProcessEnv) {
    this.#start = () => new Running(args, environment)
    this.running = this.#watch(this.#start())
  }

  get pid(): number {
    return this.running.pid
  }

  /** Of all its processes. */
  get output(): string {
    return [...this.#before, this.running.output].join('\n')
  }

  async stop(): Promise<Exit> {
    this.#isStopped = true
    return this.running.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #watch(running: Running): Running {
    void running.exited.then(() => {
      if (this.#isStopped) return
      this.#before.push(running.output)
      this.running = this.#watch(this.#start())
    })
    return running
  }
}
