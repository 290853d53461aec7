// Proves with three proxies that events go only where they are wanted: a channel's events are addressed to the
// instances that have it open and to no other, and no more to one whose last session has left.
import t from 'tap'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'
import { addressees } from './facts.ts'

t.test('three proxies', async (t) => {
  await using cluster = new InProcessCluster({ 'topics.inbox_partitions': '2' })
  await cluster.controller()
  await cluster.worker()
  await cluster.owned()
  const [p1, p2, p3] = [await cluster.proxy(), await cluster.proxy(), await cluster.proxy()]
  const [one, two, three, also] = [
    await cluster.client(p1),
    await cluster.client(p2),
    await cluster.client(p3),
    await cluster.client(p2),
  ]
  const ids = (...proxies: { id: string }[]) => proxies.map(({ id }) => id).sort()
  await one.subscribe('shared')
  await two.subscribe('shared')
  await also.subscribe('shared')
  await three.subscribe('own')
  await one.publish('shared', 1)
  await two.publish('own', 1)
  await one.publish('nobody', 1)

  await two.command({ unsubscribe: { channel: 'shared' } })
  await one.publish('shared', 2)
  also.drop()
  await until('the proxy closed it', async () => {
    const states = await Promise.all(
      (await cluster.store.leases()).map(({ slot }) => cluster.store.channels(slot, ['shared'])),
    )
    return states.flat().every(({ interest }) => !interest.includes(p2.id))
  })
  await one.publish('shared', 3)
  await two.subscribe('shared')
  await one.publish('shared', 4)

  const got = addressees(cluster)
  t.same(got.get('shared 1'), ids(p1, p2))
  t.same(got.get('own 1'), ids(p3))
  t.same(got.get('shared 2'), ids(p1, p2), 'another session of it is still there')
  t.same(got.get('shared 3'), ids(p1), 'its last one left')
  t.same(got.get('shared 4'), ids(p1, p2))
  t.equal(got.size, 5, 'what nobody has open goes nowhere')
  await until('all arrived', () => one.dataOf('shared').length === 4 && two.dataOf('shared').includes(4))
  t.same(two.dataOf('shared'), [1, 4])
  t.same(also.dataOf('shared'), [1, 2])
  t.same(three.dataOf('own'), [1])
})
