// Proves that a command which makes the app throw costs only itself: its sender gets an error, the record is kept,
// its neighbours in the same batch take effect, and the slot goes on.
import t from 'tap'
import { chat } from '../../apps/chat/chat.ts'
import { errors } from '../../protocol/client/codes.ts'
import { clusterByHand, commands, give, handled, onlySlot, stored } from '../harness/by-hand.ts'
import { deadLettersIn } from '../support/dead-letters.ts'
import { commandOf } from '../support/records.ts'
import { until } from '../support/until.ts'
import { chatBut, isPoison } from './deadly.ts'

const app = chatBut(() => {
  throw new Error('cannot digest')
}, isPoison)

t.test('among neighbours in one batch', async (t) => {
  await using cluster = await clusterByHand()
  const proxy = await cluster.proxy()
  const client = await cluster.client(proxy)
  const subscribe = client.send({ subscribe: { channel: 'room' } })
  const ids = ['before', 'poison', 'after'].map((data) => client.send({ publish: { channel: 'room', data } }))
  await until('all are in the log', () => cluster.logData.range(commands, 0).next === 4)
  await give(cluster, await cluster.worker({ app }))
  await until('all are answered', () => [subscribe, ...ids].every((id) => client.replies.has(id)))
  t.same(
    ids.map((id) => client.replies.get(id)!.error?.code),
    [undefined, errors.deadLetter.code, undefined],
  )
  await client.publish('room', 'end')
  t.same(await stored(cluster, 'room'), ['before', 'after', 'end'])
  await until('the end arrived', () => client.dataOf('room').includes('end'))
  t.same(client.dataOf('room'), ['before', 'after', 'end'])
  const letters = deadLettersIn(cluster.storeData.sql, onlySlot)
  t.match(letters, [{ offset: 2, reason: /cannot digest/ }])
  t.ok(letters[0]!.record.includes('"poison"'), 'the record is kept as it came')
})

t.test('apps that break their contract', async (t) => {
  const answers = [{ type: 'reply', body: '{}' }] as const
  const wrong: Record<string, typeof chat.handle> = {
    'no list of effects': () => [],
    'no answer': (_state, commands) => commands.map(() => []),
    'two answers': (_state, commands) => commands.map(() => [...answers, ...answers]),
    'an offset of its own': (state, commands) => {
      const streams = commands.map(({ channel }) => [channel, { epoch: 'x', top: 7, lastTime: 0 }] as const)
      return chat.handle({ ...state, channels: new Map(streams) }, commands)
    },
  }
  for (const [name, handle] of Object.entries(wrong)) {
    await using cluster = await clusterByHand()
    await give(cluster, await cluster.worker({ app: { ...chat, handle } }))
    const client = await cluster.client(await cluster.proxy())
    const reply = await client.publish('room', 'x')
    t.equal(reply.error?.code, errors.deadLetter.code, name)
    t.same(await stored(cluster, 'room'), [])
    t.equal(deadLettersIn(cluster.storeData.sql, onlySlot).length, 1)
  }
})

t.test('a record that is none of ours', async (t) => {
  await using cluster = await clusterByHand()
  const records = [
    commandOf({ channel: 'room', n: 1 }),
    Buffer.from('what is this'),
    commandOf({ channel: 'room', n: 2 }),
  ]
  await give(cluster, await cluster.worker())
  cluster.logData.append(
    commands,
    0,
    records.map((value) => ({ key: null, value })),
  )
  await handled(cluster)
  t.same(await stored(cluster, 'room'), [null, null])
  t.match(deadLettersIn(cluster.storeData.sql, onlySlot), [{ offset: 1, reason: 'format' }])
})
