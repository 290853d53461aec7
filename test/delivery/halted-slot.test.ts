// Proves that a slot whose log and store do not fit together stands still, loudly, and goes on after a person's reset:
// with a higher incarnation, so that proxies which had seen later offsets accept what comes.
import t from 'tap'
import { announcements, clusterByHand, commands, give, hint, onlySlot, stored } from '../harness/by-hand.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'

/** Two messages handled, and nobody owns the slot. */
async function interrupted() {
  const cluster = await clusterByHand({ 'client.reply_deadline': '1m' })
  const worker = await cluster.worker()
  await give(cluster, worker)
  const client = await cluster.client(await cluster.proxy())
  await client.subscribe('room')
  await client.publish('room', 1)
  await client.publish('room', 2)
  worker.kill()
  return { cluster, client }
}

async function halts(cluster: InProcessCluster): Promise<string> {
  const worker = await cluster.worker()
  const { epoch } = await cluster.store.lease(onlySlot)
  hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch, from: null, to: worker.id, announced: null })
  const halted = () => announcements(cluster).find((record) => record.type === 'halted' && record.worker === worker.id)
  await until('it halts', () => halted() !== undefined)
  return (halted() as { reason: string }).reason
}

const damages: Record<string, { damage: (cluster: InProcessCluster) => void; reason: RegExp; to: 'oldest' | 'next' }> =
  {
    'the log was cut short': {
      damage: ({ storeData }) => storeData.sql.run('UPDATE lease SET next_offset = 100'),
      reason: /ends at [34], before the next record 100/,
      to: 'next',
    },
    'the log was trimmed past its place': {
      damage: ({ logData }) => {
        logData.append(
          commands,
          0,
          [1, 2].map(() => ({ key: null, value: Buffer.from('never handled') })),
        )
        logData.trim(commands, 0, 4)
      },
      reason: /begins at 4, after the next record 3/,
      to: 'oldest',
    },
    'the log is another one': {
      damage: ({ storeData }) => storeData.sql.run("UPDATE lease SET fingerprint = 'of another'"),
      reason: /record at 2 is not the one that was handled/,
      to: 'next',
    },
  }

for (const [name, { damage, reason, to }] of Object.entries(damages)) {
  t.test(name, async (t) => {
    const { cluster, client } = await interrupted()
    await using _ = cluster
    damage(cluster)
    t.match(await halts(cluster), reason)
    const waiting = client.send({ publish: { channel: 'room', data: 3 } })
    await until('it is in the log', () => cluster.logData.range(commands, 0).next > 3)
    t.match(await halts(cluster), reason, 'for any worker')
    t.same(await stored(cluster, 'room'), [1, 2], 'nothing is handled')

    const place = to === 'next' ? 3 : cluster.logData.range(commands, 0).oldest
    const { incarnation } = await cluster.store.resetSlot(onlySlot, place)
    t.equal(incarnation, 1)
    await give(cluster, await cluster.worker())
    await until('it is handled', () => client.replies.has(waiting))
    t.notOk(client.replies.get(waiting)!.error)
    t.same(await stored(cluster, 'room'), [1, 2, 3])
    await until('it arrived', () => client.dataOf('room').includes(3))
    t.same(client.dataOf('room'), [1, 2, 3])
  })
}

t.test('the log starts anew', async (t) => {
  const { cluster, client } = await interrupted()
  await using _ = cluster
  for (let i = 0; i < 5; i++) cluster.storeData.sql.run('UPDATE lease SET next_offset = next_offset + 100')
  await halts(cluster)
  await cluster.store.resetSlot(onlySlot, 0)
  await give(cluster, await cluster.worker())
  t.notOk((await client.publish('room', 3)).error)
  t.same(await stored(cluster, 'room'), [1, 2, 3], 'what is read again was handled before: producers are known')
  await until('it arrived', () => client.dataOf('room').includes(3))
  t.same(client.dataOf('room'), [1, 2, 3])
})

t.test('a reset under a live owner, to an earlier place', async (t) => {
  await using cluster = await clusterByHand()
  const worker = await cluster.worker()
  await give(cluster, worker)
  const client = await cluster.client(await cluster.proxy())
  await client.subscribe('room')
  await client.publish('room', 1)
  await cluster.store.resetSlot(onlySlot, 0)
  const id = client.send({ publish: { channel: 'room', data: 2 } })
  await give(cluster, worker)
  await until('it is answered', () => client.replies.has(id))
  t.same(await stored(cluster, 'room'), [1, 2])
})
