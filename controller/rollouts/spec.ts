import type { HookType } from '../resources/rollout.ts'

/** Somebody who is asked or told over HTTP. */
export interface Webhook {
  name: string
  type: HookType
  url: string
  timeoutMs: number
  /** Tries after the first. */
  retries: number
  /** Sent along as it is. */
  metadata: Record<string, string>
}

/** What is analysed, by templates of these names, with these values beside `canary` and `stable`, the versions. */
export interface AnalysisSpec {
  templates: string[]
  args: AnalysisArg[]
}

/** A value as it is written, or one of the two versions, whichever that is when the analysis begins. */
export type AnalysisArg = { name: string; value: string } | { name: string; version: 'canary' | 'stable' }

/** One step of a canary. */
export type RolloutStep =
  /** Percent of the slots that the canary is to have. */
  | { type: 'setWeight'; weight: number }
  /** Null: until a person promotes. */
  | { type: 'pause'; durationMs: number | null }
  | ({ type: 'analysis' } & AnalysisSpec)

/** The slot groups that a rollout moves. */
export type Groups = 'all' | readonly string[]

/** A Rollout as it is carried out: names are resolved to versions, durations are ms. */
export interface RolloutSpec {
  name: string
  /** Version that is to serve. */
  canary: string
  /** Version that is said to serve now; null: whichever does. */
  stable: string | null
  groups: Groups
  steps: RolloutStep[]
  isPaused: boolean
  progressDeadlineMs: number
  deadlineAborts: boolean
  /** A version that served so many revisions ago at most is gone back to without steps; 0: none. */
  rollbackWindow: number
  /** Revisions remembered. */
  historyLimit: number
  /** How long workers of the version that served before are kept, from when they have no slot any more. */
  scaleDownDelayMs: number
  /** The same for a canary that was aborted. */
  abortScaleDownDelayMs: number
  /** Runs beside the steps, from that step on; null: none does. */
  background: (AnalysisSpec & { startingStep: number }) | null
  webhooks: Webhook[]
}
