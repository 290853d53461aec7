/** What a Rollout comes to, by the names and defaults of Argo Rollouts. */
import { test } from 'tap'
import { specOf } from '../../../controller/rollouts/resource.ts'
import { understood } from './written.ts'

const names = { versionOf: (subset: string) => `${subset}!`, groupsOf: (name: string) => [name] }
const specOfWritten = (spec: unknown) => specOf('chat', understood('Rollout', 'chat', spec).spec, names)

test('what is not said is as in Argo Rollouts, and every slot group is moved', (t) => {
  t.match(specOfWritten({ strategy: { canary: { canaryService: 'v2' } } }), {
    canary: 'v2!',
    stable: null,
    groups: 'all',
    steps: [],
    isPaused: false,
    progressDeadlineMs: 600_000,
    deadlineAborts: true,
    rollbackWindow: 0,
    historyLimit: 10,
    scaleDownDelayMs: 30_000,
    background: { templates: ['delivery'], startingStep: 0 },
  })
  t.end()
})

test('steps, analyses and webhooks are as they are written', (t) => {
  const part = {
    strategy: {
      canary: {
        stableService: 'v1',
        canaryService: 'v2',
        trafficRouting: { istio: { virtualService: { name: 'staff' } } },
        analysis: {
          templates: [{ templateName: 'errors' }],
          startingStep: 1,
          args: [
            { name: 'limit', value: '5' },
            { name: 'new', valueFrom: { podTemplateHashValue: 'Latest' } },
            { name: 'old', valueFrom: { podTemplateHashValue: 'Stable' } },
          ],
        },
        steps: [
          { setWeight: 10 },
          { pause: {} },
          { pause: { duration: 30 } },
          { pause: { duration: '5m' } },
          { analysis: { templates: [{ templateName: 'rooms' }] } },
        ],
      },
    },
    webhooks: [{ name: 'gate', type: 'confirm-rollout', url: 'http://127.0.0.1/' }],
  }
  const spec = specOfWritten(part)
  t.match(spec, { canary: 'v2!', stable: 'v1!', groups: ['staff'] })
  t.same(spec.steps, [
    { type: 'setWeight', weight: 10 },
    { type: 'pause', durationMs: null },
    { type: 'pause', durationMs: 30_000 },
    { type: 'pause', durationMs: 300_000 },
    { type: 'analysis', templates: ['rooms'], args: [] },
  ])
  t.same(spec.background, {
    templates: ['errors'],
    startingStep: 1,
    args: [
      { name: 'limit', value: '5' },
      { name: 'new', version: 'canary' },
      { name: 'old', version: 'stable' },
    ],
  })
  t.match(spec.webhooks, [{ timeoutMs: 10_000, retries: 0, metadata: {} }])
  t.end()
})

test('an empty list of templates turns the analysis beside the steps off', (t) => {
  const part = { strategy: { canary: { canaryService: 'v2', analysis: { templates: [] } } } }
  t.equal(specOfWritten(part).background, null)
  t.end()
})
