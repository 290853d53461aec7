import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Logger } from 'pino'
import type { LifeMessage, StopMessage } from '../../cluster/process.ts'
import { exitCodes, fatalStartCodes } from '../../platform/exit-codes.ts'
import { BackOff } from './back-off.ts'
import type { Life } from './back-off.ts'

/** One process of the cluster. */
export interface ChildSpec {
  /** What logs call it, for example `worker-2`. */
  name: string
  /** Path of what Node runs. */
  script: string
  /** Path of the Node that runs it; ours without one. */
  node?: string
  /** Arguments of the script. */
  args: readonly string[]
  /** Options of Node itself. */
  nodeOptions: readonly string[]
  /** All of its environment. */
  env: Record<string, string | undefined>
}

/** What is done about a process that ended by itself. Whatever is not said: it is started anew. */
export interface EndRule {
  /** Gets the exit code of a process that cannot start and never has. */
  gaveUp?: (code: number) => void
  /** Whether one that ended in order is to be started anew. */
  again?: () => Promise<boolean>
}

/** Time on top of its own deadline that a child has to end before it is killed. */
export const killGraceMs = 1_000

/**
 * Time in which a signal that came to the whole process group reaches us too. A child that was told to stop while we were
 * not was told alone: it stops, and is started anew.
 */
export const groupSignalMs = 250

/** Keeps one process running until it is stopped. */
export class SupervisedChild {
  /** Resolves when the process serves for the first time, or will never. */
  readonly ready: Promise<void>
  readonly #spec: ChildSpec
  readonly #logger: Logger
  readonly #rule: EndRule
  readonly #resolveReady: () => void
  readonly #backOff = new BackOff()
  #process: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #restart: NodeJS.Timeout | undefined
  #everReady = false
  #waitsFor: string | null = null
  #stopping = false
  /** It is its turn. */
  #isOrdered = false
  /** It was told to stop by somebody, and waits for us. */
  #isSignalled = false

  constructor(spec: ChildSpec, logger: Logger, rule: EndRule) {
    this.#spec = spec
    this.#logger = logger.child({ child: spec.name })
    this.#rule = rule
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ready = promise
    this.#resolveReady = resolve
  }

  /** As logs call it. */
  get name(): string {
    return this.#spec.name
  }

  /** True from when it served for the first time. */
  get isReady(): boolean {
    return this.#everReady
  }

  /** What it said that its start waits for. */
  get waitsFor(): string | null {
    return this.#waitsFor
  }

  /** Runs it, and again whenever it ends, after a pause. */
  start(): void {
    const { script, node, args, nodeOptions, env } = this.#spec
    const startedAt = performance.now()
    // In our process group, so that a terminal's signals reach it; its output is log, so it goes to standard error.
    const child = fork(script, args, {
      env,
      stdio: ['ignore', 2, 2, 'ipc'],
      execArgv: [...nodeOptions],
      ...(node === undefined ? {} : { execPath: node }),
    })
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    this.#process = child
    this.#ended = ended
    let wasReady = false
    this.#isSignalled = false
    child.on('message', (message) => {
      const said = message as LifeMessage | null
      if (said?.type === 'signalled') this.#signalled(child)
      if (said?.type === 'waiting') this.#waitsFor = said.for
      if (said?.type !== 'ready') return
      wasReady = true
      this.#everReady = true
      this.#resolveReady()
    })
    // Without a process there is no exit to wait for.
    child.on('error', (error) => {
      this.#logger.error({ err: error }, 'process error')
      if (child.pid === undefined) over(null, null)
    })
    const over = (code: number | null, signal: NodeJS.Signals | null): void => {
      end()
      void this.#died(code, signal, { livedMs: performance.now() - startedAt, wasReady })
    }
    child.once('exit', over)
  }

  async #died(code: number | null, signal: string | null, life: Life): Promise<void> {
    this.#waitsFor = null
    if (this.#stopping) return
    const { gaveUp, again } = this.#rule
    if (gaveUp && !this.#everReady && code !== null && fatalStartCodes.includes(code)) return gaveUp(code)
    if (again && code === exitCodes.ok && !(await again())) return this.#logger.info('ended, not wanted any more')
    if (this.#stopping) return
    const delayMs = this.#backOff.delayMs(life)
    const log = code === exitCodes.ok ? 'info' : 'warn'
    this.#logger[log](
      { childPid: this.#process?.pid, code, signal, livedMs: Math.round(life.livedMs), delayMs },
      'ended, starting anew',
    )
    this.#restart = setTimeout(() => this.start(), delayMs)
  }

  #signalled(child: ChildProcess): void {
    this.#isSignalled = true
    if (this.#isOrdered) return sayStop(child)
    setTimeout(() => this.#stopping || sayStop(child), groupSignalMs)
  }

  /** From now on the process is not started anew when it ends. */
  leaveEnded(): void {
    this.#stopping = true
    this.#resolveReady()
    clearTimeout(this.#restart)
  }

  /** Asks the process to stop and waits for its end; kills it when `deadlineMs` and a grace have passed. */
  async stop(deadlineMs: number): Promise<void> {
    if (this.#isOrdered) return this.#ended
    this.leaveEnded()
    this.#isOrdered = true
    // A second signal would end it at once.
    if (this.#process && this.#isSignalled) sayStop(this.#process)
    else this.#process?.kill('SIGTERM')
    const killing = setTimeout(() => {
      this.#logger.error('did not stop in time, killed')
      this.kill()
    }, deadlineMs + killGraceMs)
    await this.#ended
    clearTimeout(killing)
  }

  /** Ends the process at once, for good. */
  kill(): void {
    this.leaveEnded()
    this.#process?.kill('SIGKILL')
  }
}

function sayStop(child: ChildProcess): void {
  if (child.connected) child.send({ type: 'stop' } satisfies StopMessage)
}
