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

/** Where it is not known which versions are compared. */
export const anyVersions = { canary: 'canary', stable: 'stable' }

/** All arguments that a use gives to its templates: the two versions, and its own. */
export function argumentsOf({ args }: AnalysisUse, versions: typeof anyVersions): Record<string, string> {
  const own = args.map(({ name, value = '', valueFrom }) => {
    if (valueFrom === undefined) return [name, value]
    return [name, valueFrom.podTemplateHashValue === 'Latest' ? versions.canary : versions.stable]
  })
  return { ...versions, ...Object.fromEntries(own) }
}
