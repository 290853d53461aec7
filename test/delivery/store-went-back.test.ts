// Proves that a store which loses its last commits (a lossy failover) is noticed and mended from the log: the owner is
// fenced, the slot gets a higher incarnation, the same messages come back at the same offsets, and subscribers see each
// once. With the worker that was there, with another one, and with an owner that died meanwhile. A store that loses even
// that is noticed again, by a controller that was not there the first time; and nothing is emitted in an incarnation that
// only the store knows of.
import t from 'tap'
import type { Controller } from '../../controller/controller.ts'
import { inboxTopic, statusTopic } from '../../protocol/records/topics.ts'
import { storedMessages, stored, commands, onlySlot } from '../harness/by-hand.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { Gate } from '../support/gate.ts'
import { until } from '../support/until.ts'

const flags = { 'topics.slots': '1', 'client.command_rate': '100000', 'client.command_burst': '100000' }
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `${from + index}`)

/** The controller knows how far the slot is, in that incarnation. */
async function heardOf(cluster: InProcessCluster, controller: Controller, incarnation: number): Promise<void> {
  const { next: nextOffset } = cluster.logData.range(commands, 0)
  await until('the controller has heard of it', () => {
    const [slot] = controller.members.workers()[0]?.beat.slots ?? []
    return slot?.incarnation === incarnation && slot.nextOffset === nextOffset
  })
}

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
    await heardOf(cluster, controller, 0)

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

t.test('twice, and the second time nobody is left who saw it', async (t) => {
  await using cluster = new InProcessCluster(flags)
  const controller = await cluster.controller()
  const worker = await cluster.worker()
  await cluster.owned([worker])
  const client = await cluster.client(await cluster.proxy())
  await client.subscribe('room')
  const publish = async (text: string) => t.notOk((await client.publish('room', text)).error, text)
  await publish('0')
  const snapshot = cluster.storeData.snapshot()
  await publish('1')
  await heardOf(cluster, controller, 0)
  cluster.storeData.goBackTo(snapshot)
  await publish('2')
  await heardOf(cluster, controller, 1)
  controller.kill()
  worker.kill()
  cluster.storeData.goBackTo(snapshot)
  await cluster.controller()
  await cluster.worker()
  await publish('3')
  t.equal((await cluster.store.lease(onlySlot)).incarnation, 2, 'above what the proxy has seen')
  await until('the last one arrived', () => client.dataOf('room').includes('3'))
  t.same(client.dataOf('room'), numbers(0, 4))
})

t.test('nothing is emitted in an incarnation that only the store knows of', async (t) => {
  await using cluster = new InProcessCluster(flags)
  const status = new Gate()
  const emitted: string[] = []
  const beforeAppend = async (topic: string) => {
    if (topic === statusTopic) await status.pass()
    if (topic === inboxTopic) emitted.push(topic)
  }
  const controller = await cluster.controller()
  const first = await cluster.worker()
  await cluster.owned([first])
  const client = await cluster.client(await cluster.proxy())
  await client.subscribe('room')
  const snapshot = cluster.storeData.snapshot()
  t.notOk((await client.publish('room', 'lost')).error)
  await heardOf(cluster, controller, 0)
  first.kill()
  cluster.storeData.goBackTo(snapshot)
  status.shut()
  await cluster.worker({ handles: cluster.handles({ beforeAppend }) })
  await until('another one owns it, and would say so', () => status.held > 0)
  t.equal((await cluster.store.lease(onlySlot)).incarnation, 1)
  const sent = client.send({ publish: { channel: 'room', data: 'next' } })
  await until('it is in the log', () => cluster.logData.range(commands, 0).next === 3)
  t.same(emitted, [])
  t.equal((await cluster.store.lease(onlySlot)).nextOffset, 1, 'nor is anything handled')
  status.open()
  await until('it is answered', () => client.replies.has(sent))
  t.same(await stored(cluster, 'room'), ['lost', 'next'])
})
