import { parseDuration } from '../../config/duration.ts'
import type { RolloutResourceSpec } from '../resources/rollout.ts'
import type { AnalysisArg, AnalysisSpec, Groups, RolloutSpec, RolloutStep, Webhook } from './spec.ts'

type Canary = RolloutResourceSpec['strategy']['canary']
type Background = NonNullable<Canary['analysis']>

/** What names in a Rollout mean. */
export interface Names {
  /** The version of a subset. */
  versionOf: (subset: string) => string
  /** The slot groups that routes of a VirtualService match; without routes, all of its routes. */
  groupsOf: (virtualService: string, routes: readonly string[]) => Groups
}

/** Runs where a Rollout says nothing of analyses. */
export const builtInTemplate = 'delivery'

/** A Rollout, with its defaults, as it is carried out. */
export function specOf(name: string, resource: RolloutResourceSpec, names: Names): RolloutSpec {
  const { canary } = resource.strategy
  const routing = canary.trafficRouting?.istio.virtualService
  return {
    name,
    canary: names.versionOf(canary.canaryService),
    stable: canary.stableService === undefined ? null : names.versionOf(canary.stableService),
    groups: routing === undefined ? 'all' : names.groupsOf(routing.name, routing.routes),
    steps: canary.steps.map(stepOf),
    isPaused: resource.paused,
    progressDeadlineMs: 1_000 * resource.progressDeadlineSeconds,
    deadlineAborts: resource.progressDeadlineAbort,
    rollbackWindow: resource.rollbackWindow?.revisions ?? 0,
    historyLimit: resource.revisionHistoryLimit,
    scaleDownDelayMs: 1_000 * canary.scaleDownDelaySeconds,
    abortScaleDownDelayMs: 1_000 * canary.abortScaleDownDelaySeconds,
    background: backgroundOf(canary.analysis),
    webhooks: resource.webhooks.map(webhookOf),
  }
}

function stepOf(step: Canary['steps'][number]): RolloutStep {
  if ('setWeight' in step) return { type: 'setWeight', weight: step.setWeight }
  if ('analysis' in step) return { type: 'analysis', ...analysisOf(step.analysis) }
  const { duration } = step.pause
  return { type: 'pause', durationMs: duration === undefined ? null : milliseconds(duration) }
}

function backgroundOf(part: Background | undefined): RolloutSpec['background'] {
  if (part === undefined) return { templates: [builtInTemplate], args: [], startingStep: 0 }
  const analysis = analysisOf(part)
  return analysis.templates.length === 0 ? null : { ...analysis, startingStep: part.startingStep }
}

function analysisOf({ templates, args }: Pick<Background, 'templates' | 'args'>): AnalysisSpec {
  return {
    templates: templates.map(({ templateName }) => templateName),
    args: args.map(({ name, value, valueFrom }): AnalysisArg => {
      if (valueFrom === undefined) return { name, value: value ?? '' }
      return { name, version: valueFrom.podTemplateHashValue === 'Latest' ? 'canary' : 'stable' }
    }),
  }
}

function webhookOf({ timeout, ...hook }: RolloutResourceSpec['webhooks'][number]): Webhook {
  return { ...hook, timeoutMs: milliseconds(timeout) }
}

/** A number counts seconds, as in Argo; a text was checked before it was kept. */
function milliseconds(duration: number | string): number {
  return typeof duration === 'number' ? duration * 1_000 : parseDuration(duration)!
}
