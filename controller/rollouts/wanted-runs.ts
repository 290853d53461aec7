import { delivery } from '../analysis/delivery.ts'
import type { WantedRun } from '../analysis/measurer.ts'
import type { RunOutcome } from '../analysis/run.ts'
import type { AnalysisTemplateSpec } from '../analysis/template.ts'
import { runKey } from './observation.ts'
import { builtInTemplate } from './resource.ts'
import type { AnalysisSpec, RolloutSpec } from './spec.ts'
import type { RolloutState } from './state.ts'
import { wantsBackground, wantsStepRun } from './waits.ts'

/** The analyses that a rollout is to have, by `runKey`: those that can be under way, and why others cannot. */
export interface RolloutRuns {
  wanted: WantedRun[]
  missing: Map<string, RunOutcome>
}

/** Which analyses are to be under way for a rollout. Pure. */
export function wantedRuns(
  state: RolloutState,
  spec: RolloutSpec,
  templates: ReadonlyMap<string, AnalysisTemplateSpec>,
): RolloutRuns {
  const current = spec.steps[state.step]
  const parts: [string, AnalysisSpec][] = []
  if (spec.background && wantsBackground(state, spec)) parts.push([runKey(state, 'background'), spec.background])
  if (wantsStepRun(state, spec) && current?.type === 'analysis') parts.push([runKey(state, 'step'), current])
  const runs: RolloutRuns = { wanted: [], missing: new Map() }
  for (const [key, part] of parts) {
    const found = part.templates.map((name) => templates.get(name) ?? (name === builtInTemplate ? delivery : name))
    const lacking = found.find((each) => typeof each === 'string')
    if (lacking === undefined) {
      runs.wanted.push(
        runOf(
          key,
          state,
          part,
          found.filter((each) => typeof each !== 'string'),
        ),
      )
    } else {
      runs.missing.set(key, { phase: 'Error', message: `there is no AnalysisTemplate ${lacking}`, isMeasured: false })
    }
  }
  return runs
}

function runOf(
  key: string,
  { name: rollout, stable, canary }: RolloutState,
  { args }: AnalysisSpec,
  templates: AnalysisTemplateSpec[],
): WantedRun {
  const versions = { stable, canary }
  const given = args.map((arg) => [arg.name, 'value' in arg ? arg.value : versions[arg.version]] as const)
  return { key, rollout, templates, args: { ...versions, ...Object.fromEntries(given) }, stable, canary }
}
