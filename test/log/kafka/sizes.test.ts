/**
 * Proves on a real Kafka, with its default bounds, what test/delivery/sizes.test.ts proves in memory: what a client sends
 * stops nobody else by its size, and neither does a row that an older version left in the outbox.
 */
import t, { type Test } from 'tap'
import { appendBytesMax } from '../../../protocol/records/sizes.ts'
import { MemoryStoreData, memoryStore } from '../../../store/memory/memory-store.ts'
import { answersWhateverTheSize } from '../../delivery/any-size.ts'
import { clusterByHand, giveVia, onlySlot } from '../../harness/by-hand.ts'
import type { InProcessCluster } from '../../harness/in-process-cluster.ts'
import { testLog } from '../../support/services.ts'
import { until } from '../../support/until.ts'
import { openLog } from './tools.ts'

function opener(t: Test) {
  const topics = testLog()
  t.teardown(() => topics[Symbol.asyncDispose]())
  return () => openLog(t, topics.url)
}

void t.test('whatever the size', async (t) => {
  const openLog = opener(t)
  const data = new MemoryStoreData()
  await answersWhateverTheSize(t, async () => ({ log: openLog(), store: memoryStore(data) }), 5)
})

/** A cluster whose processes have their log in Kafka, and their store in memory. */
async function onKafka(t: Test, flags: Record<string, string>) {
  const openLog = opener(t)
  const cluster = await clusterByHand(flags)
  t.teardown(() => cluster[Symbol.asyncDispose]())
  const handles = () => ({ env: { ...cluster.handles().env, log: openLog() } })
  return { cluster, handles, log: openLog() }
}

const outboxRows = (cluster: InProcessCluster) =>
  Number(cluster.storeData.sql.get('SELECT count(*) AS n FROM outbox')!['n'])

void t.test('long names, and a row that an older version left', async (t) => {
  const { cluster, handles, log } = await onKafka(t, {
    'worker.batch_max': '2000',
    'client.channel_limit': '1000',
    'proxy.position_check_interval': '200ms',
    'client.reply_deadline': '1m',
  })
  const first = await cluster.worker({ handles: handles() })
  await giveVia(log, cluster, first)
  const proxy = await cluster.proxy({ handles: handles() })
  const clients = await Promise.all(Array.from({ length: 8 }, () => cluster.client(proxy)))
  const rooms = Array.from({ length: 1_000 }, (_, index) => `${index} `.padEnd(255, '한'))
  const many = clients[0]!
  const subscribes = rooms.map((channel) => many.send({ subscribe: { channel } }))
  await until('all are answered', () => subscribes.every((id) => many.replies.has(id)))
  first.kill()

  const data = 'x'.repeat(750)
  const sent = clients.flatMap((client, index) =>
    Array.from({ length: 200 }, () => ({ client, id: client.send({ publish: { channel: rooms[index]!, data } }) })),
  )
  const { nextOffset } = await cluster.store.lease(onlySlot)
  cluster.storeData.sql.run(
    'INSERT INTO outbox (slot, batch_end, part, inboxes, body) VALUES (?, ?, ?, ?, ?)',
    onlySlot,
    nextOffset,
    900,
    JSON.stringify([proxy.id]),
    // More than the broker takes too.
    Buffer.alloc(appendBytesMax + 2_000),
  )
  const second = await cluster.worker({ handles: handles() })
  await giveVia(log, cluster, second)
  await until('its subscriber is told', () => many.unsubscribed.length === rooms.length)
  await until('all are answered', () => sent.every(({ client, id }) => client.replies.has(id)))
  const codes = new Set(sent.map(({ client, id }) => client.replies.get(id)!.error?.code))
  t.ok(
    [...codes].every((code) => code === undefined || code === 100),
    'what was in the row is unknown',
  )
  t.notOk((await clients[7]!.publish('elsewhere', 1)).error, 'the slot goes on')
  await until('the outbox is empty', () => outboxRows(cluster) === 0)

  const third = await cluster.worker({ handles: handles() })
  await giveVia(log, cluster, third, second)
  t.notOk((await clients[7]!.publish('elsewhere', 2)).error, 'and lets itself be handed over')
})
