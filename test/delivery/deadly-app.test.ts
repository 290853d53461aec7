// Proves who is blamed when an app ends or hangs its process: the record that does it, after the documented number of
// take-overs, and nothing else; neither what comes after kills of an idle room, nor a neighbour in the same process.
import t from 'tap'
import { errors } from '../../protocol/client/codes.ts'
import { slotId } from '../../protocol/slot.ts'
import { carefulFrom } from '../../store/store.ts'
import { triesMax } from '../../worker/slot/takeover.ts'
import type { Worker } from '../../worker/worker.ts'
import { stored } from '../harness/by-hand.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { deadLettersIn } from '../support/dead-letters.ts'
import { until } from '../support/until.ts'
import { chatBut, isPoison, never } from './deadly.ts'

const [first, second] = [slotId('default', 0), slotId('default', 1)]
const quick = { 'topics.slots': '2', 'client.reply_deadline': '1m', 'client.command_rate': '100000' }

/** A channel of each slot. */
const [inFirst, inSecond] = ['a', 'd']

/** Keeps one worker alive whose app ends it at each poison. */
class Respawner {
  deaths = 0
  worker: Worker | null = null
  readonly #cluster: InProcessCluster

  constructor(cluster: InProcessCluster) {
    this.#cluster = cluster
  }

  async start(): Promise<void> {
    const die = (): Promise<never> => {
      this.deaths++
      this.worker!.kill()
      setImmediate(() => void this.start())
      return never()
    }
    this.worker = await this.#cluster.worker({ app: chatBut(die, isPoison) })
  }
}

t.test('five kills while a room is idle, then a message', async (t) => {
  await using cluster = new InProcessCluster(quick)
  await cluster.controller()
  const client = await cluster.client(await cluster.proxy())
  for (let kill = 0; kill < 5; kill++) {
    const worker = await cluster.worker()
    await cluster.owned([worker])
    if (kill === 0) await client.publish(inFirst, 'before')
    worker.kill()
  }
  const id = client.send({ publish: { channel: inFirst, data: 'after' } })
  await cluster.owned([await cluster.worker()])
  await until('it is answered', () => client.replies.has(id))
  t.notOk(client.replies.get(id)!.error)
  t.same(await stored(cluster, inFirst, first), ['before', 'after'])
  t.same(deadLettersIn(cluster.storeData.sql, first), [])
  t.same(deadLettersIn(cluster.storeData.sql, second), [])
})

t.test('a record that ends its process, beside a healthy slot', async (t) => {
  await using cluster = new InProcessCluster(quick)
  await cluster.controller()
  const proxy = await cluster.proxy()
  const respawner = new Respawner(cluster)
  await respawner.start()
  await cluster.owned()
  const [poisoner, healthy] = [await cluster.client(proxy), await cluster.client(proxy)]
  await healthy.subscribe(inSecond)
  const poison = poisoner.send({ publish: { channel: inFirst, data: 'poison' } })
  const after = poisoner.send({ publish: { channel: inFirst, data: 'after' } })
  let sent = 0
  const replies: number[] = []
  await until(
    'the poison is set aside',
    () => {
      if (replies.every((id) => healthy.replies.has(id)))
        replies.push(healthy.send({ publish: { channel: inSecond, data: sent++ } }))
      return poisoner.replies.has(after)
    },
    60_000,
  )
  t.equal(poisoner.replies.get(poison)!.error?.code, errors.deadLetter.code)
  t.notOk(poisoner.replies.get(after)!.error)
  t.equal(respawner.deaths, carefulFrom + triesMax, 'processes that it cost')
  await until('the healthy slot answered all', () => replies.every((id) => healthy.replies.has(id)))
  t.ok(replies.every((id) => !healthy.replies.get(id)!.error))
  const expected = Array.from({ length: sent }, (_, index) => index)
  t.same(await stored(cluster, inSecond, second), expected)
  await until('all arrived', () => healthy.dataOf(inSecond).length >= sent)
  t.same(healthy.dataOf(inSecond), expected)
  t.same(await stored(cluster, inFirst, first), ['after'])
  t.equal(deadLettersIn(cluster.storeData.sql, first).length, 1)
  t.same(deadLettersIn(cluster.storeData.sql, second), [], 'the neighbour is never blamed')
})

t.test('a record that hangs the app', async (t) => {
  await using cluster = new InProcessCluster(quick)
  await cluster.controller()
  let hangs = 0
  const hang = () => {
    hangs++
    return never()
  }
  const app = chatBut(hang, isPoison)
  const workers = [await cluster.worker({ app }), await cluster.worker({ app })]
  await cluster.owned(workers)
  const proxy = await cluster.proxy()
  const [poisoner, healthy] = [await cluster.client(proxy), await cluster.client(proxy)]
  await healthy.subscribe(inSecond)
  await healthy.publish(inSecond, 1)
  await poisoner.publish(inFirst, 'before')
  const poison = poisoner.send({ publish: { channel: inFirst, data: 'poison' } })
  await until('the poison is set aside', () => poisoner.replies.has(poison), 60_000)
  t.equal(poisoner.replies.get(poison)!.error?.code, errors.deadLetter.code)
  t.equal(hangs, carefulFrom + triesMax)
  t.notOk((await poisoner.publish(inFirst, 'after')).error)
  t.notOk((await healthy.publish(inSecond, 2)).error)
  t.same(await stored(cluster, inFirst, first), ['before', 'after'])
  t.same(await stored(cluster, inSecond, second), [1, 2])
  t.same(deadLettersIn(cluster.storeData.sql, second), [])
})
