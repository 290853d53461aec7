// Proves that rows which the store can never take cost only the command that makes them: its sender gets an error, it
// becomes a dead letter, its neighbours in the batch take effect in order; and that a slot halts, loudly, when not even
// the dead letter is taken.
import t from 'tap'
import { errors } from '../../protocol/client/codes.ts'
import { StoreError } from '../../store/errors.ts'
import type { Commit } from '../../store/store.ts'
import { announcements, clusterByHand, commands, give, onlySlot, stored } from '../harness/by-hand.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'
import { deadLettersIn } from '../support/dead-letters.ts'
import { until } from '../support/until.ts'

const isBad = ({ data }: { data: Buffer }) => data.includes('too much')

/** A worker whose store refuses commits that fit. */
function refusing(cluster: InProcessCluster, fits: (commit: Commit) => boolean) {
  const commits: number[] = []
  const handles = cluster.handles(
    {},
    {
      beforeCommit: (request, [commit]) => {
        if (request !== 'commit') return
        commits.push((commit as Commit).next - (commit as Commit).expected)
        if (fits(commit as Commit)) throw new StoreError('refused', 'data too long')
      },
    },
  )
  return { commits, handles }
}

for (const bad of [[0], [7], [15], [3, 4], [0, 9, 15]]) {
  t.test(`commands ${bad.join(', ')} of 16 make rows that are refused`, async (t) => {
    await using cluster = await clusterByHand()
    const proxy = await cluster.proxy()
    const client = await cluster.client(proxy)
    const subscribe = client.send({ subscribe: { channel: 'room' } })
    const data = Array.from({ length: 16 }, (_, index) => (bad.includes(index) ? `${index} too much` : `${index}`))
    const ids = data.map((text) => client.send({ publish: { channel: 'room', data: text } }))
    await until('all are in the log', () => cluster.logData.range(commands, 0).next === 17)
    const { commits, handles } = refusing(cluster, ({ messages }) => messages.some(isBad))
    await give(cluster, await cluster.worker({ handles }))
    await until('all are answered', () => [subscribe, ...ids].every((id) => client.replies.has(id)))
    t.same(
      ids.map((id) => client.replies.get(id)!.error?.code ?? null),
      data.map((_, index) => (bad.includes(index) ? errors.deadLetter.code : null)),
    )
    const good = data.filter((_, index) => !bad.includes(index))
    t.same(await stored(cluster, 'room'), good)
    await until('all good ones arrived', () => client.dataOf('room').length === good.length)
    t.same(client.dataOf('room'), good)
    const letters = deadLettersIn(cluster.storeData.sql, onlySlot)
    t.same(
      letters.map(({ offset, reason }) => [offset, reason]),
      bad.map((index) => [index + 1, 'the store refuses what it makes']),
    )
    await client.publish('room', 'end')
    t.equal(commits.filter((size) => size > 0).at(-1), 1)
    t.equal((await cluster.store.lease(onlySlot)).epoch, 1, 'its owner went on')
  })
}

t.test('not even the dead letter', async (t) => {
  await using cluster = await clusterByHand()
  const client = await cluster.client(await cluster.proxy())
  const { handles } = refusing(
    cluster,
    ({ messages, deadLetters }) =>
      messages.some(isBad) || deadLetters.some(({ record }) => record.includes('too much')),
  )
  await give(cluster, await cluster.worker({ handles }))
  await client.publish('room', 'good')
  client.send({ publish: { channel: 'room', data: 'too much' } })
  await until('the slot halts', () => announcements(cluster).some(({ type }) => type === 'halted'))
  t.match(
    announcements(cluster).find(({ type }) => type === 'halted'),
    { reason: /refuses the record at 1/ },
  )
  t.same(await stored(cluster, 'room'), ['good'])
})
