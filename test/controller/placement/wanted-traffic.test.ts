// Proves what placement is told by resources and rollouts, and how it is shown.
import t from 'tap'
import { trafficView } from '../../../controller/placement/traffic-view.ts'
import { noTraffic, wantedTraffic } from '../../../controller/placement/wanted-traffic.ts'
import type { GroupInfo } from '../../../controller/resources/groups.ts'
import { parseResources } from '../../../controller/resources/parse.ts'
import { slotId } from '../../../protocol/slot.ts'
import type { Lease } from '../../../store/store.ts'

const groups: GroupInfo[] = [
  { name: 'default', slots: 16, namespaces: ['', 'public'] },
  { name: 'team', slots: 4, namespaces: ['staff'] },
]

const resourcesOf = (text: string) => {
  const { resources, findings } = parseResources(text)
  if (findings.length > 0) throw new Error(JSON.stringify(findings))
  return resources.map(({ resource }) => resource)
}

const service = `apiVersion: holdfast.dev/v1
kind: VirtualService
metadata: { name: chat }
spec:
  ws:
    - match: [{ namespace: { exact: staff } }]
      route: [{ destination: { subset: canary } }]
    - route:
        - { destination: { subset: stable }, weight: 90 }
        - { destination: { subset: canary }, weight: 10 }
---
`
const rule = `apiVersion: holdfast.dev/v1
kind: DestinationRule
metadata: { name: workers }
spec:
  host: chat-worker
  trafficPolicy:
    weightBy: traffic
    outlierDetection: { interval: 5s }
    slotHandoff: { maxParallel: 2, maxPause: 100ms }
  subsets:
    - { name: stable, labels: { version: v1 } }
    - { name: canary, labels: { version: v2 }, compat: { dbSchema: { min: 3 } } }
`

t.test('without resources and rollouts nothing is said', async (t) => {
  t.same(wantedTraffic([], [], groups), noTraffic)
})

t.test('a route says how its groups are shared, by version where nothing names subsets', async (t) => {
  t.same(wantedTraffic(resourcesOf(service), [], groups).groups, [
    {
      group: 'default',
      shares: [
        { version: 'stable', weight: 90 },
        { version: 'canary', weight: 10 },
      ],
      weightBy: 'slots',
    },
    { group: 'team', shares: [{ version: 'canary', weight: 1 }], weightBy: 'slots' },
  ])
})

t.test('a DestinationRule names versions, and says how slots go over and who is ejected', async (t) => {
  const traffic = wantedTraffic(resourcesOf(service + rule), [], groups)
  t.match(traffic.groups[0], { shares: [{ version: 'v1' }, { version: 'v2' }], weightBy: 'traffic' })
  t.same(traffic.handoff, {
    maxParallel: 2,
    warmup: { lagMax: 100, timeoutMs: 20_000 },
    drainMs: 10_000,
    maxPauseMs: 100,
  })
  t.match(traffic.outliers, {
    errorsMax: 5,
    stallsMax: 0,
    intervalMs: 5_000,
    ejectionMs: 30_000,
    ejectedPercentMax: 10,
  })
  t.same([...traffic.compat], [['v2', { records: { min: 0, max: Infinity }, tables: { min: 3, max: Infinity } }]])
})

t.test('what a rollout has is shared as it says', async (t) => {
  const shares = [{ version: 'v3', weight: 100 }]
  const { groups: told } = wantedTraffic(resourcesOf(service), [{ group: 'default', shares }], groups)
  t.match(told, [{ shares }, { group: 'team', shares: [{ version: 'canary' }] }])
})

t.test('weights are shown beside what came of them, by slots and by traffic', async (t) => {
  const leases = [0, 1, 2, 3].map((partition) => ({
    slot: slotId('default', partition),
    owner: partition === 3 ? 'b' : 'a',
  })) as Lease[]
  const view = trafficView({
    leases,
    serving: 'v1',
    traffic: [
      {
        group: 'default',
        shares: [
          { version: 'v1', weight: 80 },
          { version: 'v2', weight: 20 },
        ],
        weightBy: 'slots',
      },
    ],
    rates: new Map([
      [slotId('default', 0), 1],
      [slotId('default', 3), 3],
    ]),
    versions: new Map([
      ['a', 'v1'],
      ['b', 'v2'],
    ]),
    moving: new Set([slotId('default', 0)]),
  })
  t.same(view, [
    {
      group: 'default',
      weight_by: 'slots',
      slots: 4,
      quantum: 25,
      moving: 1,
      versions: [
        { version: 'v1', desired: 80, slots: 3, slots_percent: 75, traffic_percent: 25 },
        { version: 'v2', desired: 20, slots: 1, slots_percent: 25, traffic_percent: 75 },
      ],
    },
  ])
})
