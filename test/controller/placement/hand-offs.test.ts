// Proves that what a DestinationRule says of hand-offs reaches the workers, with every hint of a move.
import t from 'tap'
import { decodeControl } from '../../../protocol/records/control.ts'
import type { ControlRecord } from '../../../protocol/records/control.ts'
import { controlTopic } from '../../../protocol/records/topics.ts'
import { InProcessCluster } from '../../harness/in-process-cluster.ts'
import { until } from '../../support/until.ts'

type Move = Extract<ControlRecord, { type: 'move' }>

/** Moves between two live workers that were hinted. */
function handOffs(cluster: InProcessCluster, from: string): Move[] {
  const records = cluster.logData.read(controlTopic, 0, 0).map(({ value }) => decodeControl(value))
  return records.filter((record): record is Move => record.type === 'move' && record.from === from)
}

t.test('by a DestinationRule', async (t) => {
  await using cluster = new InProcessCluster()
  const controller = await cluster.controller()
  const a = await cluster.worker()
  await cluster.owned([a])
  const slotHandoff = { warmup: { maxLagMessages: 3, timeout: '9s' }, drainTimeout: '7s', maxParallel: 2 }
  const rule = {
    apiVersion: 'holdfast.dev/v1',
    kind: 'DestinationRule',
    metadata: { name: 'workers' },
    spec: { host: 'chat-worker', trafficPolicy: { slotHandoff } },
  }
  await controller.resources.apply([rule], 'ann')
  await cluster.worker()
  const [first] = await until('a slot goes to the second', () => {
    const found = handOffs(cluster, a.id)
    return found.length > 0 && found
  })
  t.match(first, { drainMs: 7_000, warmup: { lagMax: 3, timeoutMs: 9_000 } })
})

t.test('without one a move says nothing of it: workers go by their configuration', async (t) => {
  await using cluster = new InProcessCluster()
  await cluster.controller()
  const a = await cluster.worker()
  await cluster.owned([a])
  await cluster.worker()
  const [first] = await until('a slot goes to the second', () => {
    const found = handOffs(cluster, a.id)
    return found.length > 0 && found
  })
  t.notOk('drainMs' in first!)
  t.notOk('warmup' in first!)
})
