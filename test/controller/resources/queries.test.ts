/** Which queries are tried when resources are applied: those that change, with all of their arguments. */
import t from 'tap'
import { parseResources } from '../../../controller/resources/parse.ts'
import { queriesOf } from '../../../controller/resources/queries.ts'
import { resourceId } from '../../../controller/resources/resource.ts'

const head = (kind: string, name: string) => `apiVersion: holdfast.dev/v1\nkind: ${kind}\nmetadata: { name: ${name} }\n`
const metric = (name: string, query: string) =>
  `{ name: ${name}, successCondition: "true", provider: { prometheus: { address: "http://p:9090", query: '${query}' } } }`
const template = (args: string, ...metrics: string[]) =>
  `${head('AnalysisTemplate', 'latency')}spec: { args: [${args}], metrics: [${metrics.join(', ')}] }\n---\n`
const rollout = (canary: string) =>
  `${head('Rollout', 'chat')}spec: { strategy: { canary: { canaryService: next, ${canary} } } }\n---\n`
const rule = `${head('DestinationRule', 'workers')}spec: { host: chat-worker, subsets: [{ name: next, labels: { version: v2 } }] }\n---\n`
const at = 'spec.strategy.canary'

/** Each as `resource path: query`, when these resources change; all of them without `changed`. */
function asked(text: string, changed?: string[]): string[] {
  const { resources, findings } = parseResources(text)
  if (findings.length > 0) throw new Error(JSON.stringify(findings))
  const all = resources.map(({ resource }) => resource)
  return queriesOf(all, new Set(changed ?? all.map(resourceId))).map(
    ({ resource, path, question, isWhole }) =>
      `${resource} ${path.join('.')}: ${question.query}${isWhole ? ' (whole)' : ''}`,
  )
}

void t.test('a template asks what needs no argument that it does not have', (t) => {
  const text = template(
    '{ name: most, value: "3" }, { name: region }',
    metric('plain', 'up'),
    metric('filled', 'up > {{args.most}}'),
    metric('versions', 'x{v="{{ args.canary }}"} - x{v="{{args.stable}}"}'),
    metric('open', 'up{region="{{args.region}}"}'),
  )
  const path = (index: number) => `AnalysisTemplate/latency spec.metrics.${index}.provider.prometheus.query`
  t.same(asked(text), [`${path(0)}: up (whole)`, `${path(1)}: up > 3`, `${path(2)}: x{v="canary"} - x{v="stable"}`])
  t.same(asked(text, []), [], 'nothing that stays as it is')
  t.end()
})

void t.test('a rollout asks with the arguments and versions that it has, in every analysis', (t) => {
  const use = (args: string) => `{ templates: [{ templateName: latency }], args: [${args}] }`
  const text =
    rule +
    template('{ name: region }', metric('m', 'up{region="{{args.region}}",v="{{args.canary}}"}')) +
    rollout(
      `stableService: next, analysis: ${use('{ name: region, value: eu }')}, steps: [{ setWeight: 10 }, { analysis: ${use(
        '{ name: region, valueFrom: { podTemplateHashValue: Stable } }',
      )} }]`,
    )
  const both = [
    `Rollout/chat ${at}.analysis.templates.0.templateName: up{region="eu",v="v2"}`,
    `Rollout/chat ${at}.steps.1.analysis.templates.0.templateName: up{region="v2",v="v2"}`,
  ]
  t.same(asked(text), both)
  t.same(asked(text, ['Rollout/chat']), both)
  t.same(asked(text, ['AnalysisTemplate/latency']), both, 'a template changes for whoever uses it')
  t.same(asked(text, ['DestinationRule/workers']), [])
  t.same(asked(rollout(`analysis: ${use('')}`)), [], 'a template that is not there is refused elsewhere')
  const unsafe = text.replace('value: eu', String.raw`value: 'e"u'`)
  t.same(asked(unsafe), both.slice(1), 'so is a value that could end the text around it')
  t.end()
})

void t.test('each question is asked once', (t) => {
  const text =
    template('', metric('one', 'up'), metric('two', 'up')) +
    rollout('analysis: { templates: [{ templateName: latency }] }')
  t.same(asked(text), ['AnalysisTemplate/latency spec.metrics.0.provider.prometheus.query: up (whole)'])
  t.end()
})
