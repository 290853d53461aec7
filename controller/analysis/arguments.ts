import { AnalysisError } from './errors.ts'
import type { AnalysisTemplateSpec, MetricSpec } from './template.ts'

/** Characters of the value of an argument at most. */
export const argumentLengthMax = 256

/** What could end a quoted text in PromQL or in a condition, or begin an argument in an argument. */
const unsafe = /["'`\\{}\p{Cc}]/u

const reference = /\{\{\s*args\.([\w-]+)\s*\}\}/g

/**
 * The metrics of a template with its arguments in their places (`{{args.name}}` in texts of providers and in
 * conditions). Given values come before the template's own. Throws AnalysisError `bad_argument`.
 */
export function withArguments(template: AnalysisTemplateSpec, given: Readonly<Record<string, string>>): MetricSpec[] {
  const values = new Map(Object.entries(given))
  for (const { name, value } of template.args ?? []) {
    if (values.has(name)) continue
    if (value === undefined) throw new AnalysisError('bad_argument', `the argument ${name} has no value`)
    values.set(name, value)
  }
  return template.metrics.map((metric) => {
    const { successCondition, failureCondition, provider } = metric
    const { prometheus } = provider
    return {
      ...metric,
      ...(successCondition !== undefined && { successCondition: substituted(successCondition, values) }),
      ...(failureCondition !== undefined && { failureCondition: substituted(failureCondition, values) }),
      provider: {
        ...provider,
        ...(prometheus && {
          prometheus: {
            ...prometheus,
            address: substituted(prometheus.address, values),
            query: substituted(prometheus.query, values),
          },
        }),
      },
    }
  })
}

function substituted(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(reference, (_, name: string) => {
    const value = values.get(name)
    if (value === undefined) throw new AnalysisError('bad_argument', `the argument ${name} is not there`)
    if (value.length > argumentLengthMax || unsafe.test(value))
      throw new AnalysisError(
        'bad_argument',
        `the value of ${name} cannot be put into a query: ${JSON.stringify(value)}`,
      )
    return value
  })
}
