import { parseDuration } from '../../config/duration.ts'
import { conditionProblem, syntaxProblem } from '../analysis/condition.ts'
import { delivery } from '../analysis/delivery.ts'
import { AnalysisError } from '../analysis/errors.ts'
import { startRun } from '../analysis/run.ts'
import { analysisUses, anyVersions, argumentsOf } from './analysis-uses.ts'
import type { AnalysisUse } from './analysis-uses.ts'
import { finding } from './finding.ts'
import type { Finding, Path } from './finding.ts'
import { ofKind, resourceId } from './resource.ts'
import type { Resource } from './resource.ts'

/** The template that is there without being applied. */
const builtIn = 'delivery'

/** Arguments that every analysis has. */
const given: readonly string[] = ['canary', 'stable']

/** Looks back over at least so much: four scrapes of the usual 15 s. */
const windowMinMs = 60_000

type Template = ReturnType<typeof ofKind<'AnalysisTemplate'>>[number]

/** Templates can be measured, and those that rollouts name are there, with their arguments. */
export function checkAnalyses(resources: readonly Resource[]): Finding[] {
  const templates = ofKind(resources, 'AnalysisTemplate')
  const findings = templates.flatMap(checkTemplate)
  const bad = new Set(findings.filter(({ severity }) => severity === 'error').map(({ resource }) => resource))
  const good = templates.filter((template) => !bad.has(resourceId(template)))
  return [
    ...findings,
    ...ofKind(resources, 'Rollout').flatMap((rollout) =>
      analysisUses(rollout).flatMap((use) => {
        const missing = checkUse(resourceId(rollout), use, templates)
        return missing.length > 0 ? missing : checkRun(resourceId(rollout), use, good)
      }),
    ),
  ]
}

/** What keeps a run from beginning with templates that are right by themselves. */
const runRules = { bad_argument: 'HFT0303', bad_condition: 'HFT0304', bad_metric: 'HFT0008' } as const

function checkRun(resource: string, use: AnalysisUse, good: readonly Template[]): Finding[] {
  const specs = use.templates.flatMap(({ templateName }) => {
    const template = good.find(({ metadata }) => metadata.name === templateName)
    return template?.spec ?? (templateName === builtIn ? delivery : [])
  })
  try {
    startRun(specs, argumentsOf(use, anyVersions))
    return []
  } catch (error) {
    if (!(error instanceof AnalysisError)) throw error
    return [finding(runRules[error.code], resource, use.at, error.message)]
  }
}

function checkUse(resource: string, { at, templates, args }: AnalysisUse, known: readonly Template[]): Finding[] {
  return templates.flatMap(({ templateName }, index) => {
    const template = known.find(({ metadata }) => metadata.name === templateName)
    const path = [...at, 'templates', index, 'templateName']
    if (template === undefined)
      return templateName === builtIn
        ? []
        : [finding('HFT0301', resource, path, `there is no AnalysisTemplate ${templateName}`)]
    const names = [...given, ...args.map(({ name }) => name)]
    return template.spec.args
      .filter(({ name, value }) => value === undefined && !names.includes(name))
      .map(({ name }) => finding('HFT0303', resource, [...at, 'args'], `${templateName} needs a value for ${name}`))
  })
}

function checkTemplate(template: Template): Finding[] {
  const resource = resourceId(template)
  const { args, metrics } = template.spec
  const names = new Set([...given, ...args.map(({ name }) => name)])
  return metrics.flatMap((metric, index) => {
    const path = ['spec', 'metrics', index]
    const findings: Finding[] = []
    if (metrics.findIndex(({ name }) => name === metric.name) < index)
      findings.push(finding('HFT0008', resource, [...path, 'name'], `the metric ${metric.name} stands there twice`))
    for (const member of ['successCondition', 'failureCondition'] as const) {
      const condition = metric[member]
      if (condition === undefined) continue
      findings.push(...missingArguments(resource, [...path, member], condition, names))
      const problem = isAsked(metric) ? problemOf(condition) : judgesItself
      if (problem !== null) findings.push(finding('HFT0304', resource, [...path, member], problem))
    }
    if (!isAsked(metric)) return findings
    const { address, query } = metric.provider.prometheus
    const at = [...path, 'provider', 'prometheus', 'query']
    findings.push(...missingArguments(resource, at, query, names))
    findings.push(...missingArguments(resource, [...path, 'provider', 'prometheus', 'address'], address, names))
    if (metric.successCondition === undefined && metric.failureCondition === undefined)
      findings.push(finding('HFT0304', resource, path, 'a query needs a successCondition, a failureCondition or both'))
    const window = shortWindow(query)
    if (window !== null)
      findings.push(finding('HFT0302', resource, at, `[${window}] may hold too few samples: take 1m or more`))
    return findings
  })
}

/** Counters and rooms have no `result`: they are held to what their provider says. */
const judgesItself =
  'only what a prometheus answers has conditions: counters and rooms say in their provider what a failure is'

type Metric = Template['spec']['metrics'][number]

function isAsked(metric: Metric): metric is Metric & { provider: { prometheus: { address: string; query: string } } } {
  return 'prometheus' in metric.provider
}

function problemOf(condition: string): string | null {
  // What an argument is replaced by is a number as a rule, but need not be.
  const filled = condition.replaceAll(reference, '0')
  return filled === condition ? conditionProblem(condition) : syntaxProblem(filled)
}

const reference = /\{\{\s*args\.([\w-]+)\s*\}\}/g

function missingArguments(resource: string, path: Path, text: string, names: ReadonlySet<string>): Finding[] {
  return [...text.matchAll(reference)]
    .map(([, name]) => name!)
    .filter((name) => !names.has(name))
    .map((name) => finding('HFT0303', resource, path, `the template has no argument ${name}`))
}

function shortWindow(query: string): string | null {
  for (const [, window] of query.matchAll(/\[(\d+(?:ms|s|m|h))(?::[^\]]*)?\]/g)) {
    const ms = parseDuration(window!)
    if (ms !== undefined && ms < windowMinMs) return window!
  }
  return null
}
