import type { RunOutcome } from '../analysis/run.ts'
import type { RolloutState } from './state.ts'

/** What a rollout is shown of the cluster at one moment. */
export interface Observation {
  /** Version that serves, as the store has it. */
  serving: string
  /** Ids of the workers that live and can own slots, by version. */
  workers: ReadonlyMap<string, readonly string[]>
  /** Slots of the rollout's groups with a live owner, by its version; and all of them. */
  slots: ReadonlyMap<string, number>
  slotsTotal: number
  /** Weight of this canary that placement has carried out: within a slot of it in each group, and nothing under way. */
  settledAt: number | null
  /** Workers of the canary that ended since the last observation and were not asked to; and how the last of them did. */
  crashes: number
  lastCrash: string | null
  /** Planned hand-offs that took longer than they may since the last observation. */
  longPauses: number
  /** Answers of webhooks, by `gateKey`; one that is not there has not been answered yet. */
  gates: ReadonlyMap<string, boolean>
  /** A `rollback` webhook answered that it is to be. */
  isRollbackWanted: boolean
  /** Analyses by their `runKey`. */
  runs: ReadonlyMap<string, RunOutcome>
}

/** Under which answers of the webhooks that a rollout waits for are found. */
export function gateKey({ name, revision, attempt, step }: RolloutState, type: string): string {
  return `${name}/${revision}.${attempt}/${step}/${type}`
}

/** Under which an analysis is found: the one beside the steps, or that of the present step. */
export function runKey(state: RolloutState, which: 'background' | 'step'): string {
  const { name, revision, attempt, step, backgroundRun } = state
  return `${name}/${revision}.${attempt}/${which === 'background' ? `background-${backgroundRun}` : `step-${step}`}`
}
