import type { Path } from './finding.ts'
import type { Resource } from './resource.ts'

type Rollout = Extract<Resource, { kind: 'Rollout' }>
type Canary = Rollout['spec']['strategy']['canary']

/** An analysis that a rollout makes: where it says so, by which templates, and with which arguments. */
export type AnalysisUse = Pick<NonNullable<Canary['analysis']>, 'templates' | 'args'> & { at: Path }

/** All analyses of a rollout: the one in the background, then those of its steps. */
export function analysisUses({ spec }: Rollout): AnalysisUse[] {
  const { analysis, steps } = spec.strategy.canary
  const path = ['spec', 'strategy', 'canary']
  return [
    ...(analysis ? [{ ...analysis, at: [...path, 'analysis'] }] : []),
    ...steps.flatMap((step, index) =>
      'analysis' in step ? [{ ...step.analysis, at: [...path, 'steps', index, 'analysis'] }] : [],
    ),
  ]
}
