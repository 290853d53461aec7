// Proves that a commit whose outcome is unknown is neither lost nor repeated: connection cut before or after COMMIT,
// with the lease out of reach for a while, and with another owner by the time the lease tells.
import t from 'tap'
import { clusterByHand, give, onlySlot, stored } from '../harness/by-hand.ts'
import { Gate } from '../support/gate.ts'
import { until } from '../support/until.ts'

for (const moment of ['before', 'after'] as const) {
  for (const leaseFails of [0, 3]) {
    t.test(`cut ${moment} COMMIT, then ${leaseFails} reads of the lease fail`, async (t) => {
      await using cluster = await clusterByHand()
      let cuts = 0
      let fails = 0
      const cut = (request: string) => {
        if (request !== 'commit' || cuts !== 1) return
        cuts++
        throw new Error('cut')
      }
      const handles = cluster.handles(
        {},
        {
          beforeCommit: (request) => {
            if (cuts === 2 && request === 'lease' && fails < leaseFails) {
              fails++
              throw new Error('still cut')
            }
            if (moment === 'before') cut(request)
          },
          ...(moment === 'after' && { afterCommit: cut }),
        },
      )
      await give(cluster, await cluster.worker({ handles }))
      const client = await cluster.client(await cluster.proxy())
      await client.subscribe('room')
      cuts = 1
      const reply = await client.publish('room', 'once')
      await client.publish('room', 'end')
      t.notOk(reply.error)
      t.equal(cuts, 2, 'the commit was cut')
      t.equal(fails, leaseFails)
      t.same(await stored(cluster, 'room'), ['once', 'end'])
      await until('the end arrived', () => client.dataOf('room').includes('end'))
      t.same(client.dataOf('room'), ['once', 'end'])
      t.equal((await cluster.store.lease(onlySlot)).epoch, 1, 'and its owner went on')
    })
  }

  t.test(`cut ${moment} COMMIT, and fenced by the time the lease tells`, async (t) => {
    await using cluster = await clusterByHand()
    const gate = new Gate()
    let isCut = false
    const cut = (request: string) => {
      if (request !== 'commit' || !isCut) return
      isCut = false
      gate.shut()
      throw new Error('cut')
    }
    const handles = cluster.handles(
      {},
      {
        beforeCommit: (request) => {
          if (moment === 'before') cut(request)
          return request === 'lease' ? gate.pass() : undefined
        },
        ...(moment === 'after' && { afterCommit: cut }),
      },
    )
    const [a, b] = [await cluster.worker({ handles }), await cluster.worker()]
    await give(cluster, a)
    const client = await cluster.client(await cluster.proxy())
    await client.subscribe('room')
    isCut = true
    const id = client.send({ publish: { channel: 'room', data: 'once' } })
    await until('A asks for the lease', () => gate.held === 1)
    await give(cluster, b)
    await until('the new owner told the client', () => client.replies.has(id))
    gate.open()
    await client.publish('room', 'end')
    t.notOk(client.replies.get(id)!.error)
    t.same(await stored(cluster, 'room'), ['once', 'end'])
    await until('the end arrived', () => client.dataOf('room').includes('end'))
    t.same(client.dataOf('room'), ['once', 'end'])
    t.equal((await cluster.store.lease(onlySlot)).owner, b.id)
  })
}
