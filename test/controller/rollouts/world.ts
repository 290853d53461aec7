/** A rollout with a cluster around it that does what it is told, step by step, on a clock that the test leads. */
import type { RunOutcome } from '../../../controller/analysis/run.ts'
import { command } from '../../../controller/rollouts/commands.ts'
import type { Command } from '../../../controller/rollouts/commands.ts'
import { gateKey, runKey } from '../../../controller/rollouts/observation.ts'
import type { Observation } from '../../../controller/rollouts/observation.ts'
import type { RolloutSpec, RolloutStep } from '../../../controller/rollouts/spec.ts'
import { firstState } from '../../../controller/rollouts/state.ts'
import type { RolloutState } from '../../../controller/rollouts/state.ts'
import { step } from '../../../controller/rollouts/step.ts'
import type { Stepped } from '../../../controller/rollouts/step.ts'

export const weight = (percent: number): RolloutStep => ({ type: 'setWeight', weight: percent })
export const pause = (durationMs: number | null = null): RolloutStep => ({ type: 'pause', durationMs })
export const analysis = (): RolloutStep => ({ type: 'analysis', templates: ['latency'], args: [] })

/** Serves v1 of 16 slots; v2 is what is asked for, at 10 and 50 %, without an analysis beside it. */
export const usualSpec: RolloutSpec = {
  name: 'chat',
  canary: 'v2',
  stable: null,
  groups: 'all',
  steps: [weight(10), weight(50)],
  isPaused: false,
  progressDeadlineMs: 600_000,
  deadlineAborts: true,
  rollbackWindow: 0,
  historyLimit: 5,
  scaleDownDelayMs: 300_000,
  abortScaleDownDelayMs: 60_000,
  background: null,
  webhooks: [],
}

export class World {
  state: RolloutState
  spec: RolloutSpec
  now = 1_000_000
  serving = 'v1'
  /** Workers by version; slots go to nobody who is not there. */
  workers = new Map([
    ['v1', ['a', 'b']],
    ['v2', ['c', 'd']],
  ])
  slots = new Map([['v1', 16]])
  isPlacing = true
  settledAt: number | null = 100
  crashes = 0
  lastCrash: string | null = null
  longPauses = 0
  isRollbackWanted = false
  gates = new Map<string, boolean>()
  runs = new Map<string, RunOutcome>()
  drained: string[] = []
  last: Stepped | null = null

  constructor(spec: Partial<RolloutSpec> = {}) {
    this.spec = { ...usualSpec, ...spec }
    this.state = firstState('chat', 'v1', this.spec.groups, this.now)
  }

  get seen(): Observation {
    const { serving, workers, slots, settledAt, crashes, lastCrash, longPauses, isRollbackWanted, gates, runs } = this
    const counted = { crashes, lastCrash, longPauses }
    return { serving, workers, slots, slotsTotal: 16, settledAt, ...counted, isRollbackWanted, gates, runs }
  }

  /** One look: the rollout decides, then the cluster does what it says. */
  look(ms = 100): this {
    this.now += ms
    this.last = step(this.state, this.spec, this.seen, this.now)
    this.state = this.last.state
    this.crashes = 0
    this.lastCrash = null
    this.longPauses = 0
    if (this.last.serve !== null) this.serving = this.last.serve
    if (this.last.drain !== null) this.drained.push(this.last.drain)
    if (this.isPlacing) this.place()
    return this
  }

  /** As many looks as it takes until nothing changes any more. */
  settle(): this {
    for (let left = 50; left > 0; left--) this.look()
    return this
  }

  place(): void {
    const { stable, canary, weight: wanted } = this.state
    const has = (version: string) => (this.workers.get(version)?.length ?? 0) > 0
    const ofCanary = canary === stable ? 16 : Math.round((16 * wanted) / 100)
    if ((ofCanary > 0 && !has(canary)) || (ofCanary < 16 && !has(stable))) {
      this.settledAt = null
      return
    }
    this.slots = new Map([
      [stable, 16 - ofCanary],
      [canary, ofCanary],
    ])
    this.settledAt = wanted
  }

  /** A command that is taken; what it changes in the resource is in force from here on. */
  order(order: Command): this {
    const outcome = command(this.state, this, order, 'ada')
    if ('refused' in outcome) throw new Error(outcome.refused)
    const { canary, stable, paused } = outcome.patch
    if (canary !== undefined) this.spec = { ...this.spec, canary }
    if (stable !== undefined) this.spec = { ...this.spec, stable }
    if (paused !== undefined) this.spec = { ...this.spec, isPaused: paused }
    this.state = outcome.state
    return this
  }

  /** Why a command is not taken; null when it is. It changes nothing. */
  refusalOf(order: Command): string | null {
    const outcome = command(this.state, this, order, 'ada')
    return 'refused' in outcome ? outcome.refused : null
  }

  says(which: 'background' | 'step', phase: RunOutcome['phase'], isMeasured = phase === 'Successful'): this {
    this.runs.set(runKey(this.state, which), { phase, message: 'latency', isMeasured })
    return this
  }

  answers(type: string, isYes: boolean): this {
    this.gates.set(gateKey(this.state, type), isYes)
    return this
  }

  /** Mode, phase, reason and weight, in one line. */
  get summary(): string {
    const { mode, phase, reason, weight: wanted, step: at } = this.state
    return `${mode} ${phase} ${reason} ${at} ${wanted}%`
  }
}
