import type { Logger } from 'pino'
import { waitSaidMs } from '../../cluster/services.ts'
import { exitCodes, signalExitCode } from '../../platform/exit-codes.ts'
import { onStopSignals } from '../../platform/signals.ts'
import { SupervisedChild } from './supervised-child.ts'
import type { ChildSpec, EndRule } from './supervised-child.ts'

/** Children that start and stop together. */
export interface ChildGroup {
  children: readonly ChildSpec[]
  /** Groups with a lower number start first and are ready before the next begin. */
  startStage: number
  /** Groups with a lower number have stopped before the next begin to. Asked when the stop begins, where it is a function. */
  stopStage: number | (() => number)
  /** One that cannot start is tried again, where it would end the cluster otherwise. */
  mayFail?: boolean
  /** Asked for one that ended in order; without it, it is started anew. */
  again?: EndRule['again']
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
  stopStage: number | (() => number)
}

/** Starts a cluster's processes, restarts what dies, and stops all of it in order. */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #staged: Staged[] = []
  #hasStarted = false
  #ending = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    for (const group of options.groups) this.add(group)
    onStopSignals(
      ['SIGINT', 'SIGTERM', 'SIGHUP'],
      (signal) => void this.stop(signal),
      (signal) => this.#killAll(signalExitCode[signal as keyof typeof signalExitCode]),
    )
  }

  /** Adds children: before start() to their stage, later they start at once. */
  add({ children, startStage, stopStage, mayFail = false, again }: ChildGroup): SupervisedChild[] {
    if (this.#ending) return []
    const rule: EndRule = {
      ...(mayFail ? {} : { gaveUp: (code: number) => this.#killAll(code) }),
      ...(again ? { again } : {}),
    }
    const added = children.map((spec) => new SupervisedChild(spec, this.#options.logger, rule))
    this.#staged.push(...added.map((child) => ({ child, startStage, stopStage })))
    if (this.#hasStarted) for (const child of added) child.start()
    return added
  }

  /** Stops children for good. */
  async remove(children: readonly SupervisedChild[]): Promise<void> {
    await Promise.all(children.map((child) => child.stop(this.#options.stopTimeoutMs)))
    for (const child of children) {
      const index = this.#staged.findIndex((one) => one.child === child)
      if (index !== -1) this.#staged.splice(index, 1)
    }
  }

  /** Starts every child; resolves when all of them have served once. Never resolves once the cluster ends. */
  async start(): Promise<void> {
    const saying = setInterval(() => this.#sayWaits(), waitSaidMs.every)
    const stages = stagesOf(this.#staged, 'startStage')
    for (const [index, stage] of stages.entries()) {
      if (this.#ending) return new Promise(() => {})
      for (const { child } of stage) child.start()
      this.#hasStarted = index === stages.length - 1
      await Promise.all(stage.map(({ child }) => child.ready))
    }
    clearInterval(saying)
    return this.#ending ? new Promise(() => {}) : undefined
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
  const stages = Object.groupBy(staged, ({ [by]: stage }) => (typeof stage === 'number' ? stage : stage()))
  return Object.keys(stages)
    .map(Number)
    .sort((a, b) => a - b)
    .map((stage) => stages[stage] ?? [])
}
