// Proves that a late append of an owner before is never the first copy of an event to arrive after something newer:
// whatever is held, lost on the way back or sent twice while a slot goes from worker to worker, every client gets
// every event once and in order.
import * as fc from 'fast-check'
import t from 'tap'
import { inboxTopic } from '../../protocol/records/topics.ts'
import { clusterByHand, give, handled, stored } from '../harness/by-hand.ts'
import { Gate } from '../support/gate.ts'
import { until } from '../support/until.ts'

t.test('an append that is held while its slot goes A→B→A', async (t) => {
  await using cluster = await clusterByHand({ 'topics.inbox_partitions': '1' })
  const gate = new Gate()
  const handles = cluster.handles({ beforeAppend: (topic) => (topic === inboxTopic ? gate.pass() : undefined) })
  const a = await cluster.worker({ handles })
  const b = await cluster.worker()
  const [p1, p2] = [await cluster.proxy(), await cluster.proxy()]
  await give(cluster, a)
  const clients = [await cluster.client(p1), await cluster.client(p1), await cluster.client(p2)]
  for (const client of clients) await client.subscribe('room')
  const sender = clients[0]!
  await sender.publish('room', 'before')

  gate.shut()
  const held = ['held 1', 'held 2'].map((data) => sender.send({ publish: { channel: 'room', data } }))
  await handled(cluster)
  await until('an append of A is held', () => gate.held === 1)
  await give(cluster, b)
  await sender.publish('room', 'between')
  t.ok(
    held.every((id) => sender.replies.has(id)),
    'what A could not tell, B did',
  )

  await give(cluster, a)
  const after = ['after 1', 'after 2'].map((data) => sender.send({ publish: { channel: 'room', data } }))
  await handled(cluster)
  t.notOk(
    after.some((id) => sender.replies.has(id)),
    'the lane of A waits for the append that is held',
  )
  gate.open()
  const all = ['before', 'held 1', 'held 2', 'between', 'after 1', 'after 2']
  for (const client of clients) {
    await until('the last one arrived', () => client.dataOf('room').length >= all.length)
  }
  await sender.publish('room', 'end')
  for (const client of clients) {
    await until('the end arrived', () => client.dataOf('room').includes('end'))
    t.same(client.dataOf('room'), [...all, 'end'])
    t.same(client.unsubscribed, [])
    t.equal(client.closed, null)
  }
  t.same(await stored(cluster, 'room'), [...all, 'end'])
})

type Step = { do: 'publish' | 'move' | 'hold' | 'free' | 'lose'; worker: number }

const steps = fc.array(
  fc.record<Step>({
    do: fc.constantFrom('publish', 'publish', 'publish', 'move', 'hold', 'free', 'lose'),
    worker: fc.integer({ min: 0, max: 2 }),
  }),
  { minLength: 10, maxLength: 40 },
)

t.test('any course of moves, held appends and lost acknowledgements', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (course) => {
      await using cluster = await clusterByHand({ 'topics.inbox_partitions': '2' })
      const parts = [0, 1, 2].map(() => ({ gate: new Gate(), loses: false }))
      const workers = await Promise.all(
        parts.map((part) => {
          const inInbox = (topic: string, run: () => Promise<void> | void) => (topic === inboxTopic ? run() : undefined)
          const lose = () => {
            if (!part.loses) return
            part.loses = false
            throw new Error('acknowledgement lost')
          }
          return cluster.worker({
            handles: cluster.handles({
              beforeAppend: (topic) => inInbox(topic, () => part.gate.pass()),
              afterAppend: (topic) => inInbox(topic, lose),
            }),
          })
        }),
      )
      await give(cluster, workers[0]!)
      const proxies = [await cluster.proxy(), await cluster.proxy()]
      const clients = await Promise.all(proxies.map((proxy) => cluster.client(proxy)))
      for (const client of clients) await client.subscribe('room')
      let sent = 0
      for (const step of course) {
        const part = parts[step.worker]!
        if (step.do === 'publish') {
          clients[0]!.send({ publish: { channel: 'room', data: sent++ } })
          await handled(cluster)
        } else if (step.do === 'move') await give(cluster, workers[step.worker]!)
        else if (step.do === 'hold') part.gate.shut()
        else if (step.do === 'free') part.gate.open()
        else part.loses = true
      }
      for (const { gate } of parts) gate.open()
      const expected = Array.from({ length: sent }, (_, index) => index)
      for (const client of clients) {
        await until('all arrived', () => client.dataOf('room').length >= sent)
      }
      await clients[0]!.publish('room', 'end')
      for (const client of clients) {
        await until('the end arrived', () => client.dataOf('room').includes('end'))
        const got = JSON.stringify(client.dataOf('room'))
        if (got !== JSON.stringify([...expected, 'end'])) throw new Error(`got ${got}`)
        if (client.unsubscribed.length > 0 || client.closed) throw new Error('disturbed')
      }
    }),
    { numRuns: 25 },
  )
})
