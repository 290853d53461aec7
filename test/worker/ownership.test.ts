// Proves that an owner finds out that the store does not know it any more although it has nothing to do: nobody else has
// told it, and no commit has. A worker that drains ends then, and one that is to have the slot takes it again.
import t from 'tap'
import { clusterByHand, give, hint, newestBeat, onlySlot } from '../harness/by-hand.ts'
import { Gate } from '../support/gate.ts'
import { until } from '../support/until.ts'

for (const drains of [false, true]) {
  t.test(drains ? 'while it drains' : 'while it lives', async (t) => {
    await using cluster = await clusterByHand()
    const snapshot = cluster.storeData.snapshot()
    const worker = await cluster.worker()
    await give(cluster, worker)
    await until('it says so', () => newestBeat(cluster, worker).slots.length === 1)
    cluster.storeData.goBackTo(snapshot)
    const drained = drains ? worker.drain(600_000) : null
    await until('it owns nothing', () => newestBeat(cluster, worker).slots.length === 0)
    t.match(await cluster.store.lease(onlySlot), { owner: null, epoch: 0 })
    await drained
  })
}

t.test('a hint from before it took the slot: the store has gone back to there', async (t) => {
  await using cluster = await clusterByHand()
  const snapshot = cluster.storeData.snapshot()
  const looks = new Gate().shut()
  const beforeCommit = (request: string) => (request === 'leases' ? looks.pass() : undefined)
  const worker = await cluster.worker({ handles: cluster.handles({}, { beforeCommit }) })
  await give(cluster, worker)
  const { token } = await cluster.store.lease(onlySlot)
  cluster.storeData.goBackTo(snapshot)
  hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch: 0, from: null, to: worker.id, announced: null })
  await cluster.owned([worker])
  t.not((await cluster.store.lease(onlySlot)).token, token, 'it takes it again, without having looked')
})
