// Proves that a store which loses its last commits (a lossy failover) is noticed and mended from the log: the owner is
// fenced, the slot gets a higher incarnation, the same messages come back at the same offsets, and subscribers see each
// once. With the worker that was there, with another one, and with an owner that died meanwhile.
import t from 'tap'
import { storedMessages, stored, commands, onlySlot } from '../harness/by-hand.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'

const flags = { 'topics.slots': '1', 'client.command_rate': '100000', 'client.command_burst': '100000' }
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `${from + index}`)

for (const dies of [false, true]) {
  t.test(dies ? 'the owner died too' : 'the owner is alive', async (t) => {
    await using cluster = new InProcessCluster(flags)
    const controller = await cluster.controller()
    const first = await cluster.worker()
    await cluster.owned([first])
    const proxy = await cluster.proxy()
    const [client, other] = [await cluster.client(proxy), await cluster.client(proxy)]
    for (const each of [client, other]) await each.subscribe('room')
    const publish = async (texts: string[]) => {
      for (const text of texts) t.notOk((await client.publish('room', text)).error)
    }
    await publish(numbers(0, 10))
    const snapshot = cluster.storeData.snapshot()
    await publish(numbers(10, 20))
    const before = await storedMessages(cluster, 'room')
    // The controller has heard how far the slot was.
    const told = cluster.logData.range(commands, 0).next
    await until('it has', () => controller.members.workers()[0]?.beat.slots[0]?.nextOffset === told)

    if (dies) {
      await cluster.worker()
      first.kill()
    }
    cluster.storeData.goBackTo(snapshot)
    t.same(await stored(cluster, 'room'), numbers(0, 10), 'ten messages are lost')

    const late = client.send({ publish: { channel: 'room', data: '20' } })
    await until('it is answered', () => client.replies.has(late))
    t.same(await stored(cluster, 'room'), numbers(0, 21))
    const after = await storedMessages(cluster, 'room')
    t.same(after.slice(0, 20), before, 'the same messages at the same offsets')
    t.equal((await cluster.store.lease(onlySlot)).incarnation, 1)
    for (const each of [client, other]) {
      await until('the last one arrived', () => each.dataOf('room').includes('20'))
      t.same(each.dataOf('room'), numbers(0, 21), 'each once and in order')
    }
  })
}
