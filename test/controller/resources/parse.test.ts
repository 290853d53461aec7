/** What is taken for a resource, what is filled in, and what is said of what is none. */
import t from 'tap'
import { findingText, rules } from '../../../controller/resources/finding.ts'
import { foreignFields, foreignMetadata } from '../../../controller/resources/foreign-fields.ts'
import { parseMax, parseResources } from '../../../controller/resources/parse.ts'
import { kindNames, kindOf, resourceKinds } from '../../../controller/resources/resource.ts'

const head = (kind: string, name = 'chat'): string => `apiVersion: holdfast.dev/v1
kind: ${kind}
metadata: { name: ${name} }
`

const rollout = `${head('Rollout')}spec:
  strategy:
    canary:
      canaryService: v2
      steps:
        - setWeight: 10
        - pause: { duration: 60 }
        - pause: {}
        - analysis: { templates: [{ templateName: delivery }] }
`

/** Each as `CODE path: message`. */
function said(text: string): string[] {
  return parseResources(text).findings.map(({ code, path, message }) => `${code} ${path}: ${message}`)
}

void t.test('a resource is read with its defaults filled in, and kept as it was written', async (t) => {
  const { resources, findings } = parseResources(rollout)
  t.same(findings, [])
  const [{ resource, written }] = resources as [(typeof resources)[number]]
  t.match(resource, {
    kind: 'Rollout',
    spec: {
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      progressDeadlineAbort: true,
      paused: false,
      webhooks: [],
      strategy: {
        canary: {
          canaryService: 'v2',
          scaleDownDelaySeconds: 30,
          abortScaleDownDelaySeconds: 30,
          steps: [
            { setWeight: 10 },
            { pause: { duration: 60 } },
            { pause: {} },
            { analysis: { templates: [{ templateName: 'delivery' }], args: [] } },
          ],
        },
      },
    },
  })
  t.same(Object.keys(written['spec'] as object), ['strategy'])
})

void t.test('each kind has the defaults of the originals', async (t) => {
  const route = 'spec: { ws: [{ route: [{ destination: { subset: v1 } }] }] }'
  const policy = 'spec: { host: chat-worker, trafficPolicy: { outlierDetection: {} } }'
  const metrics = 'spec: { metrics: [{ name: m, provider: { counters: { judge: errors } } }] }'
  const read = (kind: string, spec: string) => parseResources(head(kind) + spec).resources[0]?.resource.spec
  t.same(read('VirtualService', route), {
    hosts: ['*'],
    ws: [{ match: [], route: [{ destination: { host: 'chat-worker', subset: 'v1' }, weight: 1 }] }],
  })
  t.same(read('DestinationRule', policy), {
    host: 'chat-worker',
    trafficPolicy: {
      outlierDetection: {
        consecutive5xxErrors: 5,
        consecutiveGatewayErrors: 0,
        interval: '10s',
        baseEjectionTime: '30s',
        maxEjectionPercent: 10,
        minHealthPercent: 0,
      },
      slotHandoff: {
        order: 'coldest-first',
        warmup: { maxLagMessages: 100, timeout: '20s' },
        drainTimeout: '10s',
        maxPause: '250ms',
      },
      weightBy: 'slots',
    },
    subsets: [],
  })
  t.same(read('AnalysisTemplate', metrics), {
    args: [],
    metrics: [
      {
        name: 'm',
        failureLimit: 0,
        inconclusiveLimit: 0,
        consecutiveErrorLimit: 4,
        provider: { counters: { judge: 'errors' } },
      },
    ],
  })
})

void t.test('several documents, JSON and lists are read', async (t) => {
  const names = (text: string) => parseResources(text).resources.map(({ resource }) => resource.metadata.name)
  t.same(names(`# first\n---\n${rollout}---\n${rollout.replace('chat', 'other')}---\n`), ['chat', 'other'])
  const json = JSON.stringify(parseResources(rollout).resources[0]?.written)
  t.same(names(json), ['chat'])
  t.same(names(`{"apiVersion":"v1","kind":"List","items":[${json}]}`), ['chat'])
  t.same(said(`${rollout}---\n${rollout}`), ['HFT0008 : stands there twice'])
})

void t.test('an unknown field is refused with the nearest, and where it stands', async (t) => {
  const text = rollout.replace('setWeight', 'setWieght').replace('canaryService', 'canaryServise')
  const { resources, findings } = parseResources(text)
  t.same(resources, [])
  t.same(findings.map(findingText), [
    'error HFT0003 Rollout/chat spec.strategy.canary.canaryServise (line 7): nobody knows this field; the nearest is canaryService',
    'error HFT0005 Rollout/chat spec.strategy.canary.canaryService (line 7): is missing: Subset that is to serve.',
    'error HFT0003 Rollout/chat spec.strategy.canary.steps[0].setWieght (line 9): nobody knows this field; the nearest is setWeight',
    'error HFT0007 Rollout/chat spec.strategy.canary.steps[0] (line 9): exactly one of setWeight, pause, analysis',
  ])
})

void t.test('a field of Istio or Argo Rollouts that is lacking is refused with what to use instead', async (t) => {
  t.match(said(`${rollout}  replicas: 3`), [
    'HFT0004 spec.replicas: Holdfast has no such field: Holdfast starts no pods',
  ])
  t.match(said(rollout.replace('setWeight: 10', 'setCanaryScale: { weight: 1 }')), [
    /^HFT0004 spec.strategy.canary.steps\[0\].setCanaryScale/,
    'HFT0007',
  ])
  t.match(said(rollout.replace('{ name: chat }', '{ name: chat, namespace: x }')), ['HFT0004 metadata.namespace'])
  const fields = kindNames.flatMap((kind) =>
    Object.keys({ ...foreignMetadata, ...foreignFields[kind] }).map((path) => ({ kind, path })),
  )
  for (const { kind, path } of fields) {
    const keys = path.split('.')
    const value = keys.reduceRight<unknown>((inner, key) => {
      const name = key.replace('[]', '')
      return { [name]: key.endsWith('[]') ? [inner] : inner }
    }, 'x')
    const { findings } = parseResources(JSON.stringify({ apiVersion: 'holdfast.dev/v1', kind, ...(value as object) }))
    t.ok(
      findings.some((each) => each.code === 'HFT0004' && each.path.replaceAll('[0]', '[]') === path),
      `${kind} ${path}`,
    )
  }
})

void t.test('a value that is not allowed is refused with what is', async (t) => {
  const wrong = {
    'setWeight: 101':
      'HFT0006 spec.strategy.canary.steps[0].setWeight: 101 is not allowed; allowed: a whole number from 0 to 100',
    'setWeight: 1.5':
      'HFT0006 spec.strategy.canary.steps[0].setWeight: 1.5 is not allowed; allowed: a whole number from 0 to 100',
    'setWeight: .nan':
      'HFT0006 spec.strategy.canary.steps[0].setWeight: null is not allowed; allowed: a whole number from 0 to 100',
    'pause: { duration: soon }':
      'HFT0006 spec.strategy.canary.steps[0].pause.duration: "soon" is not allowed; allowed: a duration such as 250ms, 5s or 1h, up to 8760h',
    'pause: { duration: -1 }':
      'HFT0006 spec.strategy.canary.steps[0].pause.duration: -1 is not allowed; allowed: seconds, up to 31536000',
    'pause: []': 'HFT0006 spec.strategy.canary.steps[0].pause: a list is not allowed; allowed: an object',
  }
  for (const [step, message] of Object.entries(wrong)) t.same(said(rollout.replace('setWeight: 10', step)), [message])
  t.match(said(rollout.replace('name: chat', 'name: Chat')), ['HFT0006 metadata.name: "Chat" is not allowed'])
  const regex = 'spec: { ws: [{ match: [{ namespace: { regex: "(" } }], route: [{ destination: { subset: v1 } }] }] }'
  t.match(said(head('VirtualService') + regex), ['HFT0006 spec.ws[0].match[0].namespace.regex'])
})

void t.test('what is no resource is refused', async (t) => {
  t.match(said('- a'), ['HFT0002'])
  t.match(said('kind: Rollout'), ['HFT0002 apiVersion: nothing'])
  t.match(said('apiVersion: argoproj.io/v1alpha1\nkind: Rollout'), ['HFT0002 apiVersion: argoproj.io/v1alpha1'])
  t.match(said(head('Rolout')), ['HFT0002 kind: no such kind, allowed'])
  t.same(said(''), [])
  t.same(said('# nothing'), [])
})

void t.test('what is too large, too deep or no YAML is refused', async (t) => {
  t.match(said(`a: ${'x'.repeat(parseMax.bytes)}`), ['HFT0001'])
  t.match(said(`${rollout}#${'x'.repeat(300_000)}`), [])
  t.match(said(rollout.replace('canaryService: v2', `canaryService: ${'x'.repeat(300_000)}`)), ['HFT0001'])
  t.match(said(`${head('Rollout')}spec: ${'['.repeat(40)}${']'.repeat(40)}`), ['HFT0001'])
  t.match(said('['.repeat(400_000)), ['HFT0001'])
  t.match(said('a: [1'), ['HFT0001'])
  t.match(said('a: 1\na: 2'), ['HFT0001'])
  t.match(said(`a: &a [x]\nb: [${'*a, '.repeat(30)}]`), ['HFT0001'])
  t.match(said(`${head('Rollout')}spec: &a [*a, *a, *a]`), ['HFT0001'])
  const many = Array.from({ length: parseMax.resources + 1 }, (_, index) => rollout.replace('chat', `n${index}`))
  t.match(said(many.join('---\n')), ['HFT0001'])
})

void t.test('a name that only JavaScript knows is a field that nobody knows', async (t) => {
  for (const name of ['__proto__', 'constructor', 'toString'])
    t.match(said(`${rollout}  ${name}: { x: 1 }`), [`HFT0003 spec.${name}: nobody knows this field`])
  const labels = rollout.replace('{ name: chat }', '{ name: chat, labels: { __proto__: a, b: c } }')
  const { metadata } = parseResources(labels).resources[0]!.resource
  t.equal(Object.getPrototypeOf(metadata.labels), Object.prototype)
  t.equal(metadata.labels?.['b'], 'c')
})

void t.test('kinds are named as kubectl does', async (t) => {
  const names = { VS: 'VirtualService', virtualservices: 'VirtualService', dr: 'DestinationRule', Rollout: 'Rollout' }
  for (const [name, kind] of Object.entries(names)) t.equal(kindOf(name), kind)
  t.equal(kindOf('AnalysisTemplates'), 'AnalysisTemplate')
  t.equal(kindOf('pods'), undefined)
  for (const kind of kindNames) t.ok(resourceKinds[kind].aliases.includes(kind.toLowerCase()))
})

void t.test('every rule says in a sentence what it is about', async (t) => {
  for (const [code, [, text]] of Object.entries(rules)) t.match(text, /^[A-Z].*\.$/, code)
})
