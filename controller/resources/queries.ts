import { withArguments } from '../analysis/arguments.ts'
import { AnalysisError } from '../analysis/errors.ts'
import type { PrometheusProvider } from '../analysis/template.ts'
import { analysisUses, anyVersions, argumentsOf } from './analysis-uses.ts'
import { versionOf } from './check-subsets.ts'
import type { Path } from './finding.ts'
import { ofKind, resourceId } from './resource.ts'
import type { Resource } from './resource.ts'

/** A query that resources would have a Prometheus asked, as it would be asked. */
export interface Query {
  /** Where it comes from: `Kind/name`, and the field that a finding is about. */
  resource: string
  path: Path
  /** Its metric, in words. */
  metric: string
  question: PrometheusProvider
  /** It has no arguments: what it finds now it would find in a rollout too. */
  isWhole: boolean
}

type Template = Extract<Resource, { kind: 'AnalysisTemplate' }>

/**
 * What those of `changed` would ask, of all resources that there will be: templates as far as they give their arguments
 * themselves, rollouts with the arguments that they give. Each question once. Pure.
 */
export function queriesOf(resources: readonly Resource[], changed: ReadonlySet<string>): Query[] {
  const templates = ofKind(resources, 'AnalysisTemplate')
  const isChanged = (resource: Resource) => changed.has(resourceId(resource))
  const queries = [
    ...templates.filter(isChanged).flatMap(queriesOfTemplate),
    ...ofKind(resources, 'Rollout').flatMap((rollout) => {
      const { canaryService, stableService = anyVersions.stable } = rollout.spec.strategy.canary
      const version = (subset: string) => versionOf(resources, subset) ?? subset
      const versions = { canary: version(canaryService), stable: version(stableService) }
      return analysisUses(rollout).flatMap((use) =>
        use.templates.flatMap(({ templateName }, index): Query[] => {
          const template = templates.find(({ metadata }) => metadata.name === templateName)
          if (template === undefined || !(isChanged(rollout) || isChanged(template))) return []
          const path = [...use.at, 'templates', index, 'templateName']
          return questionsOf(template, argumentsOf(use, versions)).map((asked) => ({
            resource: resourceId(rollout),
            path,
            metric: `${asked.name} of ${templateName}`,
            question: asked.question,
            isWhole: false,
          }))
        }),
      )
    }),
  ]
  const each = Map.groupBy(queries, ({ question: { address, query } }) => JSON.stringify([address, query]))
  return [...each.values()].map(([first]) => first!)
}

function queriesOfTemplate(template: Template): Query[] {
  return questionsOf(template, anyVersions).map(({ index, name, question, isWhole }) => ({
    resource: resourceId(template),
    path: ['spec', 'metrics', index, 'provider', 'prometheus', 'query'],
    metric: name,
    question,
    isWhole,
  }))
}

interface Asked {
  /** Of the metric. */
  index: number
  name: string
  question: PrometheusProvider
  isWhole: boolean
}

/** Those of a template whose arguments all have a value that may stand there. */
function questionsOf({ spec }: Template, given: Readonly<Record<string, string>>): Asked[] {
  const args = spec.args.filter(({ value }) => value !== undefined)
  return spec.metrics.flatMap(({ name, provider }, index) => {
    if (!('prometheus' in provider)) return []
    try {
      const [metric] = withArguments({ args, metrics: [{ name, provider }] }, given)
      const question = metric!.provider.prometheus!
      return [{ index, name, question, isWhole: question.query === provider.prometheus.query }]
    } catch (error) {
      if (error instanceof AnalysisError) return []
      throw error
    }
  })
}
