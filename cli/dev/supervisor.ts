import type { Logger } from 'pino'
import { waitSaidMs } from '../../cluster/services.ts'
import { exitCodes, signalExitCode } from '../../platform/exit-codes.ts'
import { onStopSignals } from '../../platform/signals.ts'
import { SupervisedChild } from './supervised-child.ts'
import type { ChildSpec } from './supervised-child.ts'

/** Children that start and stop together. */
export interface ChildGroup {
  children: readonly ChildSpec[]
  /** Groups with a lower number start first and are ready before the next begin. */
  startStage: number
  /** Groups with a lower number have stopped before the next begin to. */
  stopStage: number
}

/** What to run, how long to wait for it to stop, and how this process ends. */
export interface SupervisorOptions {
  groups: readonly ChildGroup[]
  /** Time that a child has to stop, in milliseconds. */
  stopTimeoutMs: number
  logger: Logger
  /** Ends this process. */
  exit: (code: number) => void
}

interface Staged {
  child: SupervisedChild
  startStage: number
  stopStage: number
}

/** Starts a cluster's processes, restarts what dies, and stops all of it in order. */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #staged: Staged[]
  #ending = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#staged = options.groups.flatMap(({ children, startStage, stopStage }) =>
      children.map((spec) => {
        const child = new SupervisedChild(spec, options.logger, (code) => this.#killAll(code))
        return { child, startStage, stopStage }
      }),
    )
    onStopSignals(
      ['SIGINT', 'SIGTERM', 'SIGHUP'],
      (signal) => void this.stop(signal),
      (signal) => this.#killAll(signalExitCode[signal as keyof typeof signalExitCode]),
    )
  }

  /** Starts every child; resolves when all of them have served once. Never resolves once the cluster ends. */
  async start(): Promise<void> {
    const saying = setInterval(() => this.#sayWaits(), waitSaidMs.every)
    for (const stage of stagesOf(this.#staged, 'startStage')) {
      if (this.#ending) return new Promise(() => {})
      for (const { child } of stage) child.start()
      await Promise.all(stage.map(({ child }) => child.ready))
    }
    clearInterval(saying)
  }

  #sayWaits(): void {
    if (this.#ending) return
    const children = this.#staged.map(({ child }) => child)
    const waiting = children.filter(({ isReady }) => !isReady)
    const causes = new Set(waiting.flatMap(({ waitsFor }) => waitsFor ?? []))
    const what = causes.size > 0 ? [...causes] : waiting.map(({ name }) => name)
    const ready = `${children.length - waiting.length} of ${children.length} processes ready`
    this.#options.logger.warn(`not ready: waits for ${what.join(', ')}; ${ready}`)
  }

  /** Stops every child in order, then ends this process. */
  async stop(reason: string): Promise<void> {
    if (this.#ending) return
    this.#ending = true
    this.#options.logger.info({ reason }, 'stopping')
    // A signal to the whole process group ends some of them before their turn.
    for (const { child } of this.#staged) child.leaveEnded()
    for (const stage of stagesOf(this.#staged, 'stopStage')) {
      await Promise.all(stage.map(({ child }) => child.stop(this.#options.stopTimeoutMs)))
    }
    this.#options.exit(exitCodes.ok)
  }

  #killAll(code: number): void {
    this.#ending = true
    for (const { child } of this.#staged) child.kill()
    this.#options.exit(code)
  }
}

function stagesOf(staged: readonly Staged[], by: 'startStage' | 'stopStage'): Staged[][] {
  const stages = Object.groupBy(staged, (one) => one[by])
  return Object.keys(stages)
    .map(Number)
    .sort((a, b) => a - b)
    .map((stage) => stages[stage] ?? [])
}
