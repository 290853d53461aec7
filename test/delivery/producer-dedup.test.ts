// Proves that a command which is in the log twice takes effect once, also when the copies straddle a warm hand-off
// and the new owner loaded its state before the original was handled, and when both are in one batch.
import t from 'tap'
import { decodeStatus } from '../../protocol/records/status.ts'
import { statusTopic } from '../../protocol/records/topics.ts'
import { clusterByHand, commands, give, handled, hint, onlySlot, stored } from '../harness/by-hand.ts'
import { Gate } from '../support/gate.ts'
import { commandOf } from '../support/records.ts'
import { until } from '../support/until.ts'

t.test('a duplicate that straddles a warm hand-off', async (t) => {
  await using cluster = await clusterByHand({ 'worker.quiesce_timeout': '30s' })
  const gate = new Gate().shut()
  const a = await cluster.worker()
  const b = await cluster.worker({
    handles: cluster.handles({
      beforeAppend: (topic, _partition, entries) =>
        topic === statusTopic && entries.some(({ value }) => decodeStatus(value).type === 'warmed')
          ? gate.pass()
          : undefined,
    }),
  })
  await give(cluster, a)
  const [p1, p2] = [await cluster.proxy(), await cluster.proxy()]
  const [sender, late] = [await cluster.client(p1), await cluster.client(p2)]
  await sender.subscribe('room')
  await sender.publish('room', 1)

  const { epoch } = await cluster.store.lease(onlySlot)
  hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch, from: a.id, to: b.id, announced: null })
  await until('B is warm and cannot tell', () => gate.held === 1)
  const original = cluster.logData.range(commands, 0).next
  await sender.publish('room', 2)
  await late.subscribe('room')
  t.equal((await cluster.store.lease(onlySlot)).owner, a.id, 'A handled it')
  gate.open()
  await cluster.owned([b])

  const { key, value } = cluster.logData.read(commands, 0, original)[0]!
  cluster.logData.append(commands, 0, [{ key, value }])
  await sender.publish('room', 3)
  t.same(await stored(cluster, 'room'), [1, 2, 3])
  await until('both got the last', () => [sender, late].every((client) => client.dataOf('room').includes(3)))
  t.same(sender.dataOf('room'), [1, 2, 3])
  t.same(late.dataOf('room'), [3], 'whoever came after B was warm is known to it')
})

t.test('a duplicate in the batch of its original, and one that comes out of order', async (t) => {
  await using cluster = await clusterByHand()
  const worker = await cluster.worker()
  const record = (n: number) => ({
    key: null,
    value: commandOf({ channel: 'room', n, payload: Buffer.from(String(n)) }),
  })
  cluster.logData.append(commands, 0, [record(1), record(1), record(4), record(2), record(1), record(5), record(4)])
  await give(cluster, worker)
  await handled(cluster)
  t.same(await stored(cluster, 'room'), [1, 4, 5])
})
