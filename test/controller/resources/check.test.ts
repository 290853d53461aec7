/** What is said of resources that do not go together, or not with the cluster that they are for. */
import t from 'tap'
import { checkTogether } from '../../../controller/resources/check.ts'
import { parseResources } from '../../../controller/resources/parse.ts'
import { unknownWorld } from '../../../controller/resources/world.ts'
import type { World } from '../../../controller/resources/world.ts'

const world: World = {
  groups: [
    { name: 'default', slots: 16, namespaces: ['', 'public'] },
    { name: 'team', slots: 4, namespaces: ['staff', 'lab'] },
  ],
  versions: new Set(['v1', 'v2']),
  faults: { areOn: true, mustExpire: false },
}

const head = (kind: string, name: string) => `apiVersion: holdfast.dev/v1\nkind: ${kind}\nmetadata: { name: ${name} }\n`
const service = (ws: string, name = 'chat') => `${head('VirtualService', name)}spec: { ws: [${ws}] }\n---\n`
const rule = (subsets: string, name = 'workers') =>
  `${head('DestinationRule', name)}spec: { host: chat-worker, subsets: [${subsets}] }\n---\n`
const rollout = (canary: string, name = 'chat') =>
  `${head('Rollout', name)}spec: { strategy: { canary: { ${canary} } } }\n---\n`
const template = (metric: string, args = '') =>
  `${head('AnalysisTemplate', 'latency')}spec: { args: [${args}], metrics: [{ name: m, ${metric} }] }\n---\n`
const to = (subset: string, weight = 1) => `{ destination: { subset: ${subset} }, weight: ${weight} }`
const routing = (routes: string) => `trafficRouting: { istio: { virtualService: { name: chat, routes: [${routes}] } } }`

/** Each as `CODE path`, of texts that are right by themselves. */
function said(text: string, of: World = world): string[] {
  const { resources, findings } = parseResources(text)
  if (findings.length > 0) throw new Error(JSON.stringify(findings))
  return checkTogether(
    resources.map(({ resource }) => resource),
    of,
  ).map(({ code, path }) => `${code} ${path}`)
}

void t.test('without a DestinationRule a subset is a version, with one only those that it has', async (t) => {
  t.same(said(service(`{ route: [${to('v1')}] }`)), [])
  t.same(said(service(`{ route: [${to('v3')}] }`)), ['HFT0101 spec.ws[0].route[0].destination.subset'])
  t.same(said(service(`{ route: [${to('v3')}] }`), unknownWorld), [])
  const named = rule('{ name: old, labels: { version: v1 } }')
  t.same(said(named + service(`{ route: [${to('old')}] }`)), [])
  t.same(said(named + service(`{ route: [${to('v1')}] }`)), ['HFT0104 spec.ws[0].route[0].destination.subset'])
  t.same(said(named + rollout('canaryService: v2')), ['HFT0104 spec.strategy.canary.canaryService'])
})

void t.test('weights are shares that the slots can have', async (t) => {
  t.same(said(service(`{ route: [${to('v1', 75)}, ${to('v2', 25)}] }`)), [])
  t.same(said(service(`{ route: [${to('v1', 90)}, ${to('v2', 10)}] }`)), [
    'HFT0102 spec.ws[0].route[0].weight',
    'HFT0102 spec.ws[0].route[1].weight',
    'HFT0102 spec.ws[0].route[0].weight',
    'HFT0102 spec.ws[0].route[1].weight',
  ])
  t.same(said(service(`{ route: [${to('v1', 0)}] }`)), ['HFT0105 spec.ws[0].route'])
  t.same(said(service(`{ route: [${to('v1')}, ${to('v1')}] }`)), ['HFT0008 spec.ws[0].route[1]'])
})

void t.test('a route is for whole slot groups, and is reached', async (t) => {
  const of = (match: string) => service(`{ match: [${match}], route: [${to('v1')}] }`)
  t.same(said(of('{ slotGroup: { exact: team } }')), [])
  t.same(said(of('{ namespace: { regex: "staff|lab" } }')), [])
  t.same(said(of('{ namespace: { exact: staff } }, { namespace: { prefix: la } }')), [])
  t.same(said(of('{ namespace: { exact: staff } }')), ['HFT0107 spec.ws[0].match'])
  t.same(said(of('{ namespace: { exact: staff }, slotGroup: { exact: default } }')), ['HFT0108 spec.ws[0].match'])
  t.same(said(service(`{ route: [${to('v1')}] }, { name: a, route: [${to('v2')}] }`)), ['HFT0106 spec.ws[1]'])
  t.same(
    said(
      service(
        `{ name: a, match: [{ slotGroup: { exact: team } }], route: [${to('v1')}] }, { name: a, route: [${to('v2')}] }`,
      ),
    ),
    ['HFT0008 spec.ws[1].name'],
  )
})

void t.test('subsets that share slots must go together', async (t) => {
  const subset = (name: string, range: string) =>
    `{ name: ${name}, labels: { version: ${name} }, compat: { dbSchema: { ${range} } } }`
  const both = service(`{ route: [${to('v1')}, ${to('v2')}] }`)
  t.same(said(rule(`${subset('v1', 'max: 4')}, ${subset('v2', 'min: 4')}`) + both), [])
  t.same(said(rule(`${subset('v1', 'max: 3')}, ${subset('v2', 'min: 4')}`) + both), ['HFT0103 spec.ws[0].route'])
  t.same(
    said(
      rule(`${subset('v1', 'max: 3')}, ${subset('v2', 'min: 4')}`) + rollout('stableService: v1, canaryService: v2'),
    ),
    ['HFT0103 spec.strategy.canary'],
  )
  t.same(said(rule(subset('v1', 'min: 4, max: 3'))), ['HFT0103 spec.subsets[0].compat.dbSchema'])
  t.same(said(rule('{ name: a, labels: { version: v1 } }, { name: a, labels: { version: v2 } }')), [
    'HFT0008 spec.subsets[1].name',
  ])
})

void t.test('there is one VirtualService, and one DestinationRule', async (t) => {
  t.same(said(service(`{ route: [${to('v1')}] }`) + service(`{ route: [${to('v1')}] }`, 'other')), ['HFT0109 '])
  t.same(said(rule('') + rule('', 'other')), ['HFT0109 '])
})

void t.test('a rollout manages routes that are there, and that no other one does', async (t) => {
  const two = service(
    `{ name: a, match: [{ slotGroup: { exact: team } }], route: [${to('v1')}] }, { name: b, route: [${to('v1')}] }`,
  )
  const at = 'spec.strategy.canary.trafficRouting.istio.virtualService'
  const canary = 'canaryService: v2'
  t.same(said(two + rollout(`${canary}, ${routing('a')}`) + rollout(`${canary}, ${routing('b')}`, 'other')), [])
  t.same(said(two + rollout(`${canary}, ${routing('a')}`) + rollout(`${canary}, ${routing('')}`, 'other')), [
    `HFT0401 ${at}`,
  ])
  t.same(said(two + rollout(`${canary}, ${routing('a')}`) + rollout(canary, 'other')), [`HFT0401 ${at}`])
  t.same(said(two + rollout(`${canary}, ${routing('c')}`)), [`HFT0402 ${at}`])
  t.same(said(rollout(`${canary}, ${routing('a')}`)), [`HFT0402 ${at}`])
  t.same(said(rollout('stableService: v2, canaryService: v2')), ['HFT0403 spec.strategy.canary'])
})

void t.test('a fault does something where it is, and ends', async (t) => {
  const fault = (text: string) => service(`{ route: [${to('v1')}], fault: { ${text} } }`)
  const at = 'spec.ws[0].fault'
  const half = 'percentage: { value: 50 }'
  t.same(said(fault(`stage: db, delay: { ${half}, fixedDelay: 1s }`)), [])
  t.same(said(fault('stage: db')), [`HFT0201 ${at}`])
  t.same(said(fault('stage: db, delay: { fixedDelay: 1s }')), [`HFT0201 ${at}`])
  t.same(said(fault(`stage: db, abort: { ${half}, wsCloseCode: 4000 }`)), [`HFT0201 ${at}`])
  t.same(said(fault(`stage: proxy.onFrame, abort: { ${half}, code: 100, wsCloseCode: 4000 }`)), [`HFT0201 ${at}`])
  const kill = fault(`stage: db, kill: { ${half} }`)
  t.same(said(kill, { ...world, faults: { areOn: true, mustExpire: true } }), [`HFT0202 ${at}.expiresAfter`])
  t.same(said(kill, { ...world, faults: { areOn: false, mustExpire: true } }), [`HFT0203 ${at}`])
  t.same(said(kill, unknownWorld), [])
})

void t.test('analyses name templates that are there, and give them what they need', async (t) => {
  const analysis = (name: string, args = '') =>
    rollout(`canaryService: v2, steps: [{ analysis: { templates: [{ templateName: ${name} }], args: [${args}] } }]`)
  const at = 'spec.strategy.canary.steps[0].analysis'
  const counted = 'provider: { counters: { judge: errors } }'
  t.same(said(analysis('delivery')), [])
  t.same(said(analysis('latency')), [`HFT0301 ${at}.templates[0].templateName`])
  t.same(said(template(counted) + analysis('latency')), [])
  t.same(said(template(counted, '{ name: region }') + analysis('latency')), [`HFT0303 ${at}.args`])
  t.same(said(template(counted, '{ name: region }') + analysis('latency', '{ name: region, value: eu }')), [])
})

void t.test('a template asks for what there is, over long enough, and says what is good', async (t) => {
  const query = (text: string, condition = 'successCondition: "result < 1"') =>
    template(`${condition}, provider: { prometheus: { address: "http://p:9090", query: '${text}' } }`)
  const at = 'spec.metrics[0]'
  t.same(said(query('rate(x{v="{{args.canary}}"}[1m])')), [])
  t.same(said(query('rate(x[30s])')), [`HFT0302 ${at}.provider.prometheus.query`])
  t.same(said(query('x{v="{{args.region}}"}')), [`HFT0303 ${at}.provider.prometheus.query`])
  t.same(said(query('x').replace('//p:', '//{{args.host}}:')), [`HFT0303 ${at}.provider.prometheus.address`])
  t.same(said(query('x', 'interval: 5s')), [`HFT0304 ${at}`])
  for (const wrong of ['result <', 'results < 1', 'len(result)', 'len(result, 1) > 0'])
    t.same(said(query('x', `successCondition: "${wrong}"`)), [`HFT0304 ${at}.successCondition`], wrong)
  const most = (condition: string) =>
    query('x', `failureCondition: "${condition}"`).replace('args: []', 'args: [{ name: most, value: "1" }]')
  t.same(said(most('result[0] > 2 * {{args.most}}')), [])
  t.same(said(most('{{args.most}} || result[0] > 2')), [], 'of what type an argument is shows when it is given')
  t.same(said(most('result[0] > {{args.most}} +')), [`HFT0304 ${at}.failureCondition`])
})

void t.test('an analysis that could not begin is refused with its rollout', async (t) => {
  const at = 'spec.strategy.canary.analysis'
  const asked = (condition: string, args = '{ name: most }') =>
    template(
      `failureCondition: "${condition}", provider: { prometheus: { address: "http://p:9090", query: 'rate(x{v="{{args.canary}}"}[30s])' } }`,
      args,
    )
  const use = (templates: string, args = '') =>
    rollout(`canaryService: v2, analysis: { templates: [${templates}], args: [${args}] }`)
  const latency = '{ templateName: latency }'
  const most = (value: string) => `{ name: most, value: '${value}' }`
  const short = 'HFT0302 spec.metrics[0].provider.prometheus.query'
  const limit = asked('result[0] > {{args.most}}')
  t.same(said(limit + use(latency, most('1.5'))), [short])
  t.same(said(limit + use(latency, most('a"b'))), [short, `HFT0303 ${at}`])
  t.same(said(limit + use(latency, most('rooms'))), [short, `HFT0304 ${at}`])
  t.same(said(limit + use(latency, '{ name: most, valueFrom: { podTemplateHashValue: Latest } }')), [
    short,
    `HFT0304 ${at}`,
  ])
  t.same(said(limit + use(`${latency}, ${latency}`, most('1'))), [short, `HFT0008 ${at}`])
  t.same(said(limit + use(`${latency}, { templateName: delivery }`, most('1'))), [short])
  t.same(
    said(asked('result <', '') + use(latency)),
    ['HFT0304 spec.metrics[0].failureCondition', short],
    'what is wrong with a template is said of it alone',
  )
})

void t.test('only what a Prometheus answers has conditions', async (t) => {
  for (const provider of ['counters: { judge: errors }', 'rooms: {}'])
    for (const member of ['successCondition', 'failureCondition'])
      t.same(said(template(`${member}: "result < 1", provider: { ${provider} }`)), [
        `HFT0304 spec.metrics[0].${member}`,
      ])
})
