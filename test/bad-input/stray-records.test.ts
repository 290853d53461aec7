/**
 * Proves that a record which is none of ours, on any topic, is passed over by everybody who reads it: nobody ends, and
 * clients go on chatting.
 */
import t from 'tap'
import { clusterTopics } from '../../cluster/topics.ts'
import { encodeEnvelope } from '../../protocol/records/envelope.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'

void t.test('stray records on every topic', async (t) => {
  await using cluster = new InProcessCluster()
  const ends: string[] = []
  const controller = await cluster.controller()
  const worker = await cluster.worker({ ended: (why) => ends.push(why) })
  const proxy = await cluster.proxy({ ended: (why) => ends.push(why) })
  await cluster.owned([worker])
  const [one, two] = [await cluster.client(proxy), await cluster.client(proxy)]
  for (const client of [one, two]) await client.subscribe('room')
  const { config } = cluster
  const strays = [
    Buffer.alloc(0),
    Buffer.from('not ours'),
    Buffer.from('{"type":"move"}'),
    Buffer.from('null'),
    encodeEnvelope({ type: 'events', to: [proxy.id], events: [{}] }, []),
    encodeEnvelope({ type: 'answer', to: proxy.id }, []),
  ]
  for (const { name, partitions } of clusterTopics(config)) {
    for (let partition = 0; partition < partitions; partition++) {
      const entries = strays.map((value) => ({ key: Buffer.from('stray'), value }))
      cluster.logData.append(name, partition, entries)
    }
  }
  for (let i = 1; i <= 10; i++) await one.publish('room', i)
  await until('all is delivered', () => two.dataOf('room').length === 10)
  t.strictSame(
    two.dataOf('room'),
    Array.from({ length: 10 }, (_, i) => i + 1),
  )
  t.strictSame(ends, [])
  t.ok(controller.isLeader)

  const late = await cluster.worker({ ended: (why) => ends.push(why) })
  await until(
    'a worker that starts now reads over them too',
    () => late.ready === true && controller.members.workers().length === 2,
  )
  t.strictSame(ends, [])
})
