// Proves that a controller asks the store no more often the more workers there are: heartbeats that say nothing new, of
// twenty workers that own 256 slots in four groups, are heard and lead to no look, no plan and no hint.
import t from 'tap'
import { Announcer } from '../../cluster/announcer.ts'
import { pinGroups } from '../../cluster/pin-groups.ts'
import type { OwnedSlot } from '../../protocol/records/heartbeat.ts'
import { controlTopic } from '../../protocol/records/topics.ts'
import { testEnv } from '../harness/env.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'

const groups = ['a', 'b', 'c'].map((name) => ({ name, slots: 64, namespaces: [`ns-${name}`] }))
const workers = Array.from({ length: 20 }, (_, index) => `w-${index}`)
const beatsHeard = 10

t.test('an idle controller', async (t) => {
  await using cluster = new InProcessCluster({
    'topics.slots': '64',
    'channel.namespaces': JSON.stringify(groups.map(({ namespaces: [name] }) => ({ name }))),
    'topics.groups': JSON.stringify(groups),
  })
  const { store } = cluster
  await store.migrate()
  await pinGroups(store, cluster.config, 'origin')
  await store.setServingVersion(null, 'v1')
  const owned = Map.groupBy(
    (await store.leases()).map(({ slot }, index) => ({ slot, owner: workers[index % workers.length]! })),
    ({ owner }) => owner,
  )

  const asked: string[] = []
  const handles = cluster.handles({}, { beforeCommit: (request) => void asked.push(request) })
  await using stack = new AsyncDisposableStack()
  for (const [id, mine] of owned) {
    const slots: OwnedSlot[] = []
    for (const { slot } of mine) {
      const seen = { token: null, epoch: 0 }
      await store.acquire({ slot, seen, token: slot, owner: id, version: 'v1', announced: null })
      slots.push({ slot, epoch: 1, incarnation: 0, nextOffset: 0, waitingMs: 0 })
    }
    const said = { id, pid: 1, version: 'v1', internal: { host: '127.0.0.1', port: 1 }, claimed: [] }
    const announcer = new Announcer(testEnv({ log: cluster.handles().env.log }), id, (beat) => ({
      ...{ type: 'heartbeat', role: 'worker', state: 'live', inFlight: 0, outbox: 0 },
      ...said,
      beat,
      slots,
    }))
    announcer.start(cluster.config.worker.heartbeat_interval)
    stack.defer(() => announcer.stop())
  }
  const controller = await cluster.controller(handles)
  await until('it sees that all slots are owned', () => controller.ownedSlots === 256)

  const beats = () => controller.members.workers().map(({ beat }) => beat.beat)
  const before = Math.max(...beats())
  const { next } = cluster.logData.range(controlTopic, 0)
  asked.length = 0
  await until('it has heard everybody again and again', () => beats().every((beat) => beat > before + beatsHeard))
  // It looks by the clock: 200 beats were heard meanwhile.
  for (const request of new Set(asked)) {
    const times = asked.filter((each) => each === request).length
    t.ok(times <= 3, `${request}: ${times} times`)
  }
  t.equal(cluster.logData.range(controlTopic, 0).next, next, 'no hint was sent')
})
