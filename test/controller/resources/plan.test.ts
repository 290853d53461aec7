/** What applying and deleting resources comes to, given what is there. */
import t from 'tap'
import { findingText, isAllowed } from '../../../controller/resources/finding.ts'
import { keptResources } from '../../../controller/resources/kept.ts'
import type { KeptResource } from '../../../controller/resources/kept.ts'
import { parseResources } from '../../../controller/resources/parse.ts'
import { planApply, planDelete } from '../../../controller/resources/plan.ts'
import { unknownWorld } from '../../../controller/resources/world.ts'
import { MemoryStoreData, memoryStore } from '../../../store/memory/memory-store.ts'

const rule = (version: string) => `apiVersion: holdfast.dev/v1
kind: DestinationRule
metadata: { name: workers }
spec: { host: chat-worker, subsets: [{ name: canary, labels: { version: ${version} } }] }
`
const rollout = `apiVersion: holdfast.dev/v1
kind: Rollout
metadata: { name: chat }
spec: { strategy: { canary: { canaryService: canary } } }
`
const wanted = (text: string) => parseResources(text).resources

/** A store with these resources, as it is read. */
async function kept(...texts: string[]): Promise<KeptResource[]> {
  const store = memoryStore(new MemoryStoreData())
  await store.migrate()
  const { writes } = planApply([], wanted(texts.join('---\n')), unknownWorld)
  await store.putDocuments({ writes, term: null, audit: null })
  return keptResources(store)
}

void t.test('a resource is created, configured, or unchanged however it is laid out', async (t) => {
  const created = planApply([], wanted(rule('v1')), unknownWorld)
  t.same(created.outcomes, [{ kind: 'DestinationRule', name: 'workers', outcome: 'created' }])
  t.match(created.writes, [{ kind: 'DestinationRule', name: 'workers', seen: 0 }])
  const there = await kept(rule('v1'))
  const json = JSON.stringify(wanted(rule('v1'))[0]!.written)
  const unchanged = planApply(there, wanted(json), unknownWorld)
  t.match(unchanged, { outcomes: [{ outcome: 'unchanged' }], writes: [], findings: [] })
  const configured = planApply(there, wanted(rule('v2')), unknownWorld)
  t.match(configured, { outcomes: [{ outcome: 'configured' }], writes: [{ seen: 1 }] })
})

void t.test('what is applied together is checked together, with what is there', async (t) => {
  t.ok(isAllowed(planApply([], wanted(`${rule('v1')}---\n${rollout}`), unknownWorld).findings))
  t.ok(isAllowed(planApply(await kept(rule('v1')), wanted(rollout), unknownWorld).findings))
  const lost = planApply(await kept(rule('v1'), rollout), wanted(rule('v1').replace('canary', 'other')), unknownWorld)
  t.match(lost.findings, [{ code: 'HFT0104', resource: 'Rollout/chat' }], 'one that is there loses what it needs')
  const before = await kept(rule('v1').replace('canary', 'other'), rollout)
  t.ok(
    isAllowed(planApply(before, wanted(rule('v2').replace('canary', 'other')), unknownWorld).findings),
    'what was wrong before',
  )
})

void t.test('what stands in the way of a resource refuses it, unless nothing changes', async (t) => {
  const there = await kept(rule('v1'), rollout)
  const refused = planApply(
    there,
    wanted(rollout.replace('canary }', 'canary, steps: [] }')),
    unknownWorld,
    () => 'v1 → v2 is under way',
  )
  t.same(refused.findings.map(findingText), ['error HFT0405 Rollout/chat: v1 → v2 is under way'])
  t.same(planApply(there, wanted(rollout), unknownWorld, () => 'no').findings, [])
})

void t.test('a resource that another one needs is not deleted, unless both are', async (t) => {
  const there = await kept(rule('v1'), rollout)
  const both = [
    { kind: 'DestinationRule', name: 'workers' },
    { kind: 'Rollout', name: 'chat' },
  ]
  t.match(planDelete(there, both, unknownWorld), { findings: [], writes: [{ body: null }, { body: null }] })
  t.match(planDelete(there, both.slice(1), unknownWorld), {
    findings: [],
    outcomes: [{ name: 'chat', outcome: 'deleted' }],
  })
  const template = `${rollout.replace(/Rollout|chat/g, (word) => (word === 'Rollout' ? 'AnalysisTemplate' : 'latency')).split('spec:')[0]}spec: { metrics: [{ name: m, provider: { counters: { judge: errors } } }] }\n`
  const judged = rollout.replace('canary }', 'canary, analysis: { templates: [{ templateName: latency }] } }')
  const needed = planDelete(
    await kept(rule('v1'), judged, template),
    [{ kind: 'AnalysisTemplate', name: 'latency' }],
    unknownWorld,
  )
  t.match(needed.findings.map(findingText), [/^error HFT0404 AnalysisTemplate\/latency: Rollout\/chat needs it/])
  t.same(planDelete(there, [{ kind: 'Rollout', name: 'none' }], unknownWorld).writes, [])
})

void t.test('a cluster has so many resources at most', async (t) => {
  const many = (from: number) =>
    Array.from({ length: 110 }, (_, index) => rollout.replace('chat', `n${from + index}`)).join('---\n')
  const there = await kept(many(0))
  t.match(planApply(there, wanted(many(1_000)), unknownWorld).findings[0], { code: 'HFT0001' })
})
