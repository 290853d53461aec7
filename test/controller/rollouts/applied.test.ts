/** What rollouts make of the resources that are applied: versions, slot groups, and what a command changes. */
import { test } from 'tap'
import type { ResourceKind } from '../../../controller/resources/resource.ts'
import { Applied } from '../../../controller/rollouts/applied.ts'
import { understood, written } from './written.ts'

const groups = [
  { name: 'default', slots: 8, namespaces: ['', 'lab'] },
  { name: 'staff', slots: 8, namespaces: ['staff', 'staff-lab'] },
  { name: 'games', slots: 8, namespaces: ['games'] },
]

type Written = [kind: ResourceKind, name: string, spec: unknown]

const applied = (...all: Written[]) =>
  new Applied(
    {
      kept: all.map(([kind, name, spec]) => ({
        kind,
        name,
        revision: 3,
        time: 0,
        written: written(kind, name, spec),
        resource: null,
      })),
      understood: all.filter(([kind]) => kind !== 'Rollout').map(([kind, name, spec]) => understood(kind, name, spec)),
    },
    groups,
  )

const rollout = (more: Record<string, unknown> = {}): Written => [
  'Rollout',
  'chat',
  { strategy: { canary: { canaryService: 'next', ...more } } },
]
const destination = [{ destination: { host: 'chat-worker', subset: 'v1' }, weight: 100 }]
const services: Written = [
  'VirtualService',
  'rooms',
  {
    ws: [
      { name: 'staff', match: [{ namespace: { prefix: 'staff' } }], route: destination },
      { name: 'games', match: [{ slotGroup: { exact: 'games' } }], route: destination },
      { name: 'rest', route: destination },
    ],
  },
]
const routing = (routes: string[]) => ({ trafficRouting: { istio: { virtualService: { name: 'rooms', routes } } } })

test('a rollout without routes moves every slot group, one with routes those of its routes', (t) => {
  const groupsOf = (...all: Written[]) => applied(...all).rollouts.get('chat')?.spec.groups
  t.equal(groupsOf(rollout(), services), 'all')
  t.same(groupsOf(rollout(routing(['staff'])), services), ['staff'])
  t.same(groupsOf(rollout(routing(['games', 'rest'])), services), ['games', 'default'])
  t.same(groupsOf(rollout(routing([])), services), ['staff', 'games', 'default'])
  t.end()
})

test('one that cannot be carried out is told with the reason, and no other suffers', (t) => {
  const other: Written = ['Rollout', 'other', { strategy: { canary: { canaryService: 'v2' } } }]
  const known = applied(rollout(routing([])), other, ['Rollout', 'odd', {}])
  t.same([...known.rollouts.keys()], ['other'])
  t.match(Object.fromEntries(known.broken), { chat: /no VirtualService rooms/, odd: /strategy/ })
  t.end()
})

test('a subset is the version that the DestinationRule says, and a command names it again', (t) => {
  const rule: Written = [
    'DestinationRule',
    'chat',
    { host: 'chat-worker', subsets: ['old', 'next'].map((name) => ({ name, labels: { version: `${name}-7` } })) },
  ]
  const known = applied(rollout(), rule)
  const chat = known.rollouts.get('chat')!
  t.equal(chat.spec.canary, 'next-7')
  const { body, spec } = known.patched(chat, { canary: 'old-7', paused: true })
  t.match(spec, { canary: 'old-7', isPaused: true })
  t.same(JSON.parse(body), {
    ...written('Rollout', 'chat', { strategy: { canary: { canaryService: 'old' } }, paused: true }),
  })
  t.match(known.patched(chat, { canary: 'elsewhere' }).spec, { canary: 'elsewhere' })
  t.match(chat.kept.written, written(...rollout()), 'nothing is changed in place')
  t.end()
})
