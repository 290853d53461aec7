// Proves that moving slots costs clients nothing: under load and moved again and again, nothing is lost, doubled or
// reordered and no session is closed; a drained worker ends owning nothing and with an empty outbox.
import t from 'tap'
import type { Test } from 'tap'
import { partitionOf } from '../../protocol/partition.ts'
import { slotId } from '../../protocol/slot.ts'
import { announcements, clusterByHand, give, stored } from '../harness/by-hand.ts'
import type { Client } from '../harness/clients/client.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { until } from '../support/until.ts'

/** Sends keyed messages, a few at a time, until stopped. */
class Load {
  readonly sent: string[] = []
  readonly #ids: number[] = []
  readonly #client: Client
  readonly #channel: string
  readonly #name: string
  #isOn = true
  readonly done: Promise<void>

  constructor(client: Client, channel: string, name: string) {
    this.#client = client
    this.#channel = channel
    this.#name = name
    this.done = this.#run()
  }

  stop(): Promise<void> {
    this.#isOn = false
    return this.done
  }

  get errors(): unknown[] {
    return this.#ids.flatMap((id) => this.#client.replies.get(id)?.error ?? [])
  }

  get #isAnswered(): boolean {
    return this.#ids.every((id) => this.#client.replies.has(id))
  }

  async #run(): Promise<void> {
    while (this.#isOn) {
      for (let i = 0; i < 3; i++) {
        const data = `${this.#name} ${this.sent.length}`
        this.sent.push(data)
        this.#ids.push(
          this.#client.send({ rpc: { method: 'chat.send', data: { channel: this.#channel, data, key: data } } }),
        )
      }
      await until('the load is answered', () => this.#isAnswered)
    }
  }
}

/** Everybody got everything once, in the order of the channel and of each sender. */
async function check(
  t: Test,
  cluster: InProcessCluster,
  channel: string,
  clients: Client[],
  loads: Load[],
): Promise<void> {
  const slot = slotId('default', partitionOf(channel, cluster.config.topics.slots))
  const all = await stored(cluster, channel, slot)
  for (const client of clients) {
    await until('all arrived', () => client.dataOf(channel).length >= all.length)
    t.same(client.dataOf(channel), all, 'every subscriber got all, in order')
    t.same(client.unsubscribed, [])
    t.equal(client.closed, null)
  }
  for (const load of loads) {
    t.same(load.errors, [])
    const mine = all.filter((data) => load.sent.includes(data as string))
    t.same(mine, load.sent, 'what a sender sent is there once and in its order')
  }
}

t.test('planned moves back and forth under load', async (t) => {
  await using cluster = await clusterByHand()
  const workers = [await cluster.worker(), await cluster.worker()] as const
  await give(cluster, workers[0])
  const proxies = [await cluster.proxy(), await cluster.proxy()]
  const clients = await Promise.all(proxies.map((proxy) => cluster.client(proxy)))
  for (const client of clients) await client.subscribe('room')
  const loads = clients.map((client, index) => new Load(client, 'room', `sender ${index}`))
  for (let move = 0; move < 30; move++) {
    await give(cluster, workers[move % 2 === 0 ? 1 : 0], workers[move % 2 === 0 ? 0 : 1])
    const so = loads[0]!.sent.length
    await until('the load goes on', () => loads[0]!.sent.length > so)
  }
  for (const load of loads) await load.stop()
  await check(t, cluster, 'room', clients, loads)
  const taken = announcements(cluster).filter((record) => record.type === 'acquired')
  t.equal(taken.filter(({ kind }) => kind === 'planned').length, 30, 'each owner let go in order')
})

t.test('a worker that is drained', async (t) => {
  await using cluster = new InProcessCluster({ 'client.command_rate': '100000', 'client.command_burst': '100000' })
  const controller = await cluster.controller()
  const ended: string[] = []
  const a = await cluster.worker({ ended: (why) => ended.push(why) })
  const b = await cluster.worker()
  await cluster.owned([a, b])
  await until(
    'both own some',
    async () => (await cluster.store.leases()).filter(({ owner }) => owner === a.id).length === 2,
  )
  const clients = [await cluster.client(await cluster.proxy()), await cluster.client(await cluster.proxy())]
  const rooms = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const client of clients) for (const room of rooms) await client.subscribe(room)
  const loads = rooms.map((room) => new Load(clients[0]!, room, room))
  controller.drain(a.id)
  await until('A has ended', () => ended.length > 0)
  for (const load of loads) await load.stop()
  t.same(ended, ['drained'])
  t.equal(a.state, 'drained')
  await until('the cluster knows', () =>
    controller.members.workers().some(({ beat }) => beat.id === a.id && beat.state === 'drained'),
  )
  const beat = controller.members.workers().find(({ beat }) => beat.id === a.id)!.beat
  t.match(beat, { slots: [], inFlight: 0, outbox: 0 })
  t.equal(controller.drains.pausesOf(a.id)?.length, 2, 'one pause for each slot that moved')
  await cluster.owned([b])
  for (const room of rooms)
    await check(
      t,
      cluster,
      room,
      clients,
      loads.filter((_, index) => rooms[index] === room),
    )
})
