import { parseDuration } from '../../config/duration.ts'
import type { AnalysisArg, AnalysisSpec, Groups, HookType, RolloutSpec, RolloutStep, Webhook } from './spec.ts'

/** Seconds as a number, or a text such as `5m`. */
export type Duration = number | string

/** Templates and arguments as a Rollout names them. */
export interface AnalysisPart {
  templates?: { templateName: string }[]
  args?: { name: string; value?: string; valueFrom?: { podTemplateHashValue: 'Latest' | 'Stable' } }[]
}

/** One step as a Rollout has it: exactly one member. */
export interface StepPart {
  setWeight?: number
  pause?: { duration?: Duration }
  analysis?: AnalysisPart
}

/** The spec of a Rollout, as it is written; names and defaults are those of Argo Rollouts. */
export interface RolloutPart {
  revisionHistoryLimit?: number
  progressDeadlineSeconds?: number
  progressDeadlineAbort?: boolean
  rollbackWindow?: { revisions: number }
  paused?: boolean
  strategy: {
    canary: {
      stableService?: string
      canaryService: string
      scaleDownDelaySeconds?: number
      abortScaleDownDelaySeconds?: number
      trafficRouting?: { istio?: { virtualService?: { name: string; routes?: string[] } } }
      analysis?: AnalysisPart & { startingStep?: number }
      steps?: StepPart[]
    }
  }
  webhooks?: {
    name: string
    type: HookType
    url: string
    timeout?: Duration
    retries?: number
    metadata?: Record<string, string>
  }[]
}

/** Argo's defaults, and Flagger's for webhooks. */
export const defaults = {
  revisionHistoryLimit: 10,
  progressDeadlineSeconds: 600,
  scaleDownDelaySeconds: 30,
  abortScaleDownDelaySeconds: 30,
  webhookTimeout: '10s',
} as const

/** What names in a Rollout mean. */
export interface Names {
  /** The version of a subset. */
  versionOf: (subset: string) => string
  /** The slot groups that routes of a VirtualService match; without routes, all of its routes. */
  groupsOf: (virtualService: string, routes: readonly string[]) => Groups
}

/** Runs where a Rollout says nothing of analyses. */
export const builtInTemplate = 'delivery'

/** A Rollout as it is carried out. */
export function specOf(name: string, part: RolloutPart, names: Names): RolloutSpec {
  const { canary } = part.strategy
  const routing = canary.trafficRouting?.istio?.virtualService
  return {
    name,
    canary: names.versionOf(canary.canaryService),
    stable: canary.stableService === undefined ? null : names.versionOf(canary.stableService),
    groups: routing === undefined ? 'all' : names.groupsOf(routing.name, routing.routes ?? []),
    steps: (canary.steps ?? []).map(stepOf),
    isPaused: part.paused ?? false,
    progressDeadlineMs: 1_000 * (part.progressDeadlineSeconds ?? defaults.progressDeadlineSeconds),
    deadlineAborts: part.progressDeadlineAbort ?? true,
    rollbackWindow: part.rollbackWindow?.revisions ?? 0,
    historyLimit: part.revisionHistoryLimit ?? defaults.revisionHistoryLimit,
    scaleDownDelayMs: 1_000 * (canary.scaleDownDelaySeconds ?? defaults.scaleDownDelaySeconds),
    abortScaleDownDelayMs: 1_000 * (canary.abortScaleDownDelaySeconds ?? defaults.abortScaleDownDelaySeconds),
    background: backgroundOf(canary.analysis),
    webhooks: (part.webhooks ?? []).map(webhookOf),
  }
}

function stepOf({ setWeight, pause, analysis }: StepPart): RolloutStep {
  if (setWeight !== undefined) return { type: 'setWeight', weight: setWeight }
  if (analysis !== undefined) return { type: 'analysis', ...analysisOf(analysis) }
  return { type: 'pause', durationMs: pause?.duration === undefined ? null : milliseconds(pause.duration) }
}

function backgroundOf(part: (AnalysisPart & { startingStep?: number }) | undefined): RolloutSpec['background'] {
  if (part === undefined) return { templates: [builtInTemplate], args: [], startingStep: 0 }
  const analysis = analysisOf(part)
  return analysis.templates.length === 0 ? null : { ...analysis, startingStep: part.startingStep ?? 0 }
}

function analysisOf({ templates = [], args = [] }: AnalysisPart): AnalysisSpec {
  return {
    templates: templates.map(({ templateName }) => templateName),
    args: args.map(({ name, value, valueFrom }): AnalysisArg => {
      if (valueFrom === undefined) return { name, value: value ?? '' }
      return { name, version: valueFrom.podTemplateHashValue === 'Latest' ? 'canary' : 'stable' }
    }),
  }
}

function webhookOf(part: NonNullable<RolloutPart['webhooks']>[number]): Webhook {
  const { name, type, url, timeout = defaults.webhookTimeout, retries = 0, metadata = {} } = part
  return { name, type, url, timeoutMs: milliseconds(timeout), retries, metadata }
}

/** A number, and a text of digits, are seconds, as in Argo. 0 for what is no duration: validation lets none through. */
export function milliseconds(duration: Duration): number {
  if (typeof duration === 'number') return duration * 1_000
  return /^\d+$/.test(duration) ? Number(duration) * 1_000 : (parseDuration(duration) ?? 0)
}
