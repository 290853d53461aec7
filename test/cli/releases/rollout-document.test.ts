/** Proves what a deploy makes of the Rollout: steps of its own, and everything else as somebody wrote it. */
import t from 'tap'
import { rolloutDocument } from '../../../cli/releases/rollout-document.ts'
import { checkResource } from '../../../controller/resources/parse.ts'

void t.test('the first deploy makes a Rollout, with steps and pauses between them', async (t) => {
  const document = rolloutDocument({ version: 'v2' }, null)
  t.same(document, {
    apiVersion: 'holdfast.dev/v1',
    kind: 'Rollout',
    metadata: { name: 'chat' },
    spec: {
      progressDeadlineSeconds: 60,
      rollbackWindow: { revisions: 5 },
      strategy: {
        canary: {
          canaryService: 'v2',
          steps: [
            { setWeight: 10 },
            { pause: { duration: '30s' } },
            { setWeight: 50 },
            { pause: { duration: '30s' } },
            { setWeight: 100 },
          ],
        },
      },
    },
  })
  t.same(checkResource(document).findings, [], 'and it is one')
})

void t.test('weights and pauses are those that are asked for', async (t) => {
  const steps = (takeOver: { weights?: number[]; pause?: string }) =>
    rolloutDocument({ version: 'v2', ...takeOver }, null).spec.strategy.canary['steps']
  t.same(steps({ weights: [100], pause: '1h' }), [{ setWeight: 100 }])
  t.same(steps({ weights: [20, 100], pause: '' }), [{ setWeight: 20 }, { setWeight: 100 }])
  t.same(steps({ weights: [20, 100], pause: '1m' }), [
    { setWeight: 20 },
    { pause: { duration: '1m' } },
    { setWeight: 100 },
  ])
})

void t.test('what somebody wrote stays, but for the version that is to serve', async (t) => {
  const before = rolloutDocument({ version: 'v2', weights: [100] }, null)
  Object.assign(before.spec, { progressDeadlineSeconds: 90, webhooks: [] })
  Object.assign(before.spec.strategy.canary, {
    stableService: 'v1',
    analysis: { templates: [{ templateName: 'mine' }] },
  })
  const after = rolloutDocument({ version: 'v3' }, before)
  t.match(after.spec, { progressDeadlineSeconds: 90, rollbackWindow: { revisions: 5 } })
  t.same(after.spec.strategy.canary, {
    canaryService: 'v3',
    analysis: { templates: [{ templateName: 'mine' }] },
    steps: [{ setWeight: 100 }],
  })
  const others = rolloutDocument({ version: 'v3', weights: [50, 100] }, before)
  t.equal(
    (others.spec.strategy.canary['steps'] as unknown[]).length,
    3,
    'steps that are asked for take the place of those',
  )
})
