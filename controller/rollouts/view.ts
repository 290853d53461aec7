import type { RunOutcome } from '../analysis/run.ts'
import type { Observation } from './observation.ts'
import type { RolloutSpec, RolloutStep } from './spec.ts'
import type { Phase, RolloutState } from './state.ts'
import { percentOf } from './turn.ts'

/** A rollout as the API shows it. Weights are percent. */
export interface RolloutView {
  name: string
  phase: Phase
  reason: string
  message: string
  revision: number
  stable: string
  canary: string
  /** Slot groups that it moves. */
  groups: 'all' | readonly string[]
  /** Index of the present step; the number of steps when all are done. */
  step: number
  steps: string[]
  weights: { desired: Record<string, number>; actual: Record<string, number> }
  slots: { total: number; byVersion: Record<string, number> }
  workers: Record<string, number>
  analyses: { name: string; phase: string; message: string }[]
  /** Versions whose workers are kept for a while. */
  kept: string[]
  history: { revision: number; version: string; at: number }[]
  startedAt: number
  endedAt: number | null
}

/** What is shown of a rollout. */
export function viewOf(
  state: RolloutState,
  spec: RolloutSpec,
  seen: Observation,
  runs: ReadonlyMap<string, RunOutcome>,
): RolloutView {
  const { name, phase, reason, message, revision, stable, canary, groups, weight, history } = state
  const isAlone = stable === canary
  return {
    name,
    phase,
    reason,
    message,
    revision,
    stable,
    canary,
    groups,
    step: state.step,
    steps: spec.steps.map(stepText),
    weights: {
      desired: isAlone ? { [stable]: 100 } : { [stable]: 100 - weight, [canary]: weight },
      actual: Object.fromEntries([...new Set([stable, canary])].map((version) => [version, percentOf(version, seen)])),
    },
    slots: { total: seen.slotsTotal, byVersion: Object.fromEntries(seen.slots) },
    workers: Object.fromEntries([...seen.workers].map(([version, ids]) => [version, ids.length])),
    analyses: [...runs]
      .filter(([key]) => key.startsWith(`${name}/${revision}.${state.attempt}/`))
      .map(([key, run]) => ({ name: key.slice(key.lastIndexOf('/') + 1), phase: run.phase, message: run.message })),
    kept: state.retained.map(({ version }) => version),
    history,
    startedAt: state.startedAt,
    endedAt: state.endedAt,
  }
}

function stepText(step: RolloutStep): string {
  if (step.type === 'setWeight') return `setWeight ${step.weight}`
  if (step.type === 'analysis') return `analysis ${step.templates.join(', ')}`
  return step.durationMs === null ? 'pause' : `pause ${step.durationMs / 1_000}s`
}
