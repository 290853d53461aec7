// Proves that forgetting an instance that had many channels does not hold up its slot.
import t from 'tap'
import { pruneChunk } from '../../../worker/slot/slot.ts'
import { clusterByHand, commands, give, onlySlot, stored } from '../../harness/by-hand.ts'
import { commandOf } from '../../support/records.ts'
import { until } from '../../support/until.ts'

t.test('commands are handled between two chunks', async (t) => {
  await using cluster = await clusterByHand()
  const chunks = 6
  let prunes = 0
  const prunesAtCommit: number[] = []
  const append = (value: Buffer) => cluster.logData.append(commands, 0, [{ key: null, value }])
  const handles = cluster.handles(
    {},
    {
      beforeCommit: (request) => {
        if (request === 'pruneInterest' && ++prunes === 2) append(commandOf({ channel: 'room', n: 1 }))
        if (request === 'commit') prunesAtCommit.push(prunes)
      },
    },
  )
  await give(cluster, await cluster.worker({ handles }))
  for (let i = 0; i < chunks * pruneChunk; i++) {
    cluster.storeData.sql.run(
      "INSERT INTO channel (slot, name, epoch, top, last_time) VALUES (?, ?, 'e', 0, 0)",
      onlySlot,
      `c${i}`,
    )
  }
  cluster.storeData.sql.run("INSERT INTO interest (instance, slot, channel_id) SELECT 'dead', slot, id FROM channel")
  append(commandOf({ channel: '', n: 1, method: 'gone', producer: 'c', instance: 'c', payload: Buffer.from('dead') }))
  await until(
    'all is forgotten',
    () => Number(cluster.storeData.sql.get('SELECT count(*) AS n FROM interest')!['n']) === 0,
  )
  t.same(await stored(cluster, 'room'), [null])
  t.ok(
    prunesAtCommit.some((count) => count > 0 && count < chunks),
    `commits after ${prunesAtCommit.join(', ')} chunks`,
  )
})
