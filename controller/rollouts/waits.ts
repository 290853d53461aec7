import type { RunOutcome } from '../analysis/run.ts'
import type { HookType } from '../resources/rollout.ts'
import { gateKey, runKey } from './observation.ts'
import type { RolloutSpec } from './spec.ts'
import type { RolloutState } from './state.ts'
import { workersOf } from './turn.ts'
import type { Turn } from './turn.ts'

/** Placement has made a weight of this canary true. */
export function isPlaced({ seen }: Turn, weight: number): boolean {
  return seen.settledAt === weight
}

/** True when all webhooks of a type have agreed, or there are none; otherwise they are the gate that is waited for. */
export function isOpen({ state, spec, seen }: Turn, type: HookType): boolean {
  const isTrue = !spec.webhooks.some((hook) => hook.type === type) || seen.gates.get(gateKey(state, type)) === true
  state.gate = isTrue ? null : type
  return isTrue
}

/** A gate that a person or a system of theirs opens in its own time. */
export function isPersonsGate(type: HookType | null): boolean {
  return type !== null && type.startsWith('confirm-')
}

/** The analysis beside the steps, where one is to be. */
export function backgroundRun({ state, spec, seen }: Turn): RunOutcome | undefined {
  return wantsBackground(state, spec) ? seen.runs.get(runKey(state, 'background')) : undefined
}

/** True while the analysis beside the steps is to run. */
export function wantsBackground(state: RolloutState, { background, steps }: RolloutSpec): boolean {
  if (background === null || state.isFull || !state.hasTraffic) return false
  if (state.mode !== 'stepping' && state.mode !== 'promoting') return false
  return state.step >= Math.min(background.startingStep, steps.length)
}

/** True while the analysis of the present step is to run. */
export function wantsStepRun({ mode, hold, step }: RolloutState, { steps }: RolloutSpec): boolean {
  return mode === 'stepping' && hold === null && steps[step]?.type === 'analysis'
}

/** True when nothing came nearer for too long, and only the cluster is waited for. */
export function isLate(turn: Turn): boolean {
  const { state, spec, now } = turn
  if (state.hold !== null || isPersonsGate(state.gate) || isPatient(turn)) return false
  return now - state.progressAt >= spec.progressDeadlineMs
}

/** Time is what it takes: a pause, or an analysis that measures. A canary that is not there makes nothing of it. */
function isPatient(turn: Turn): boolean {
  const { state, spec, seen } = turn
  if (workersOf(state.canary, seen) === 0) return false
  const type = state.mode === 'stepping' ? spec.steps[state.step]?.type : undefined
  if (type === 'pause' || type === 'analysis') return true
  const run = backgroundRun(turn)
  return state.mode === 'promoting' && run?.phase === 'Running' && !run.isMeasured
}
