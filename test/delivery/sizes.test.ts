// Proves that nothing a client sends stops a slot for others by its size: long names, long infos, many channels, commands
// at and over what the log takes, what an app makes of them, and rows that an older version left in the outbox.
import t from 'tap'
import { chat } from '../../apps/chat/chat.ts'
import { LogError } from '../../log/errors.ts'
import type { App } from '../../protocol/app/contract.ts'
import { errors, unsubscribes } from '../../protocol/client/codes.ts'
import { decodeCommand } from '../../protocol/records/command.ts'
import { decodeInbox } from '../../protocol/records/inbox.ts'
import { appendBytesMax, commandBytesMax, recordBytesMax } from '../../protocol/records/sizes.ts'
import { inboxTopic } from '../../protocol/records/topics.ts'
import type { Proxy } from '../../proxy/proxy.ts'
import { clusterByHand, commands, give, handled, onlySlot } from '../harness/by-hand.ts'
import { Client } from '../harness/clients/client.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'
import { secret, tokenFor } from '../harness/tokens.ts'
import { deadLettersIn } from '../support/dead-letters.ts'
import { until } from '../support/until.ts'

/** Names of 255 characters that are far more bytes where they are written. */
const longNames = { quotes: '"', backslashes: '\\', 'three bytes a character': '한' }
const named = (unit: string, index: number) => `${index} `.padEnd(255, unit)

const all = (client: Client, ids: number[]) =>
  until('all are answered', () => ids.every((id) => client.replies.has(id)))

async function answered(client: Client, channel = 'elsewhere'): Promise<void> {
  const reply = await client.publish(channel, 'x')
  if (reply.error) throw new Error(`${reply.error.code}`)
}

function inboxBytes(cluster: InProcessCluster): number[] {
  const partitions = Array.from({ length: cluster.config.topics.inbox_partitions }, (_, partition) => partition)
  return partitions.flatMap((partition) =>
    cluster.logData.read(inboxTopic, partition, 0).map(({ value }) => value.length),
  )
}

for (const [what, unit] of Object.entries(longNames)) {
  t.test(`8 sessions in rooms with names of ${what}`, async (t) => {
    await using cluster = await clusterByHand({ 'worker.batch_max': '2000', 'client.reply_deadline': '1m' })
    const first = await cluster.worker()
    await give(cluster, first)
    const proxy = await cluster.proxy()
    const clients = await Promise.all(Array.from({ length: 8 }, () => cluster.client(proxy)))
    await Promise.all(clients.map((client, index) => client.subscribe(named(unit, index))))
    first.kill()
    const data = 'x'.repeat(750)
    const ids = clients.map((client, index) =>
      Array.from({ length: 200 }, () => client.send({ publish: { channel: named(unit, index), data } })),
    )
    await until('all are in the log', () => cluster.logData.range(commands, 0).next === 8 * 201)
    await give(cluster, await cluster.worker())
    for (const [index, client] of clients.entries()) {
      await all(client, ids[index]!)
      t.notOk([...client.replies.values()].some(({ error }) => error))
      await until('all arrived', () => client.dataOf(named(unit, index)).length === 200)
    }
    await answered(clients[0]!)
    t.ok(inboxBytes(cluster).every((bytes) => bytes <= recordBytesMax))
  })

  t.test(`1,000 rooms with names of ${what}, and the position check`, async (t) => {
    await using cluster = await clusterByHand({
      'client.channel_limit': '1000',
      'proxy.position_check_interval': '100ms',
      'client.reply_deadline': '1m',
    })
    await give(cluster, await cluster.worker())
    const client = await cluster.client(await cluster.proxy())
    const ids = Array.from({ length: 1_000 }, (_, index) => client.send({ subscribe: { channel: named(unit, index) } }))
    await all(client, ids)
    await until('every channel is asked for in one check', () => topsAsked(cluster) >= 1_000)
    await answered(client)
    await handled(cluster)
    await answered(client)
    t.same(client.unsubscribed, [])
    t.ok(inboxBytes(cluster).every((bytes) => bytes <= recordBytesMax))
  })
}

/** Channels that were asked for in `tops` commands. */
function topsAsked(cluster: InProcessCluster): number {
  return cluster.logData
    .read(commands, 0, 1_000)
    .map(({ value }) => decodeCommand(value))
    .filter(({ method }) => method === 'tops')
    .reduce((sum, { payload }) => sum + (JSON.parse(payload.toString()) as string[]).length, 0)
}

async function withInfo(proxy: Proxy, bytes: number): Promise<Client> {
  const info = { text: '"'.repeat(bytes / 2) }
  const client = new Client(proxy)
  await client.command({ connect: { token: await tokenFor('ada', { claims: { info } }) } })
  return client
}

t.test('12 KB of info, 100 messages, one history, and a recovery', async (t) => {
  await using cluster = await clusterByHand({ 'client.token.hmac_secret_key': secret })
  await give(cluster, await cluster.worker())
  const proxy = await cluster.proxy()
  const other = await cluster.client(proxy)
  const client = await withInfo(proxy, 12_000)
  const { epoch } = (await client.subscribe('room')).subscribe as { epoch: string }
  for (let i = 0; i < 100; i++) t.notOk((await client.publish('room', i)).error)
  const { history } = (await client.command({ history: { channel: 'room', limit: 100 } })) as never as {
    history: { publications: unknown[] }
  }
  t.ok(history.publications.length > 30 && history.publications.length < 100, 'as many as fit')
  await client.command({ unsubscribe: { channel: 'room' } })
  const missed = await client.subscribe('room', { epoch, offset: 1 })
  t.match(missed, { subscribe: { was_recovering: true, recovered: true } })
  await until(
    'it has more than one answer holds',
    () => client.recovered.length + client.dataOf('room').length === 100 + 99,
  )
  t.match(await client.subscribe('other'), { subscribe: {} })
  await answered(other)
  t.ok(inboxBytes(cluster).every((bytes) => bytes <= recordBytesMax))
})

t.test('commands at and over what the log takes', async (t) => {
  await using cluster = await clusterByHand({ 'client.token.hmac_secret_key': secret })
  await give(cluster, await cluster.worker())
  const proxy = await cluster.proxy()
  const other = await cluster.client(proxy)
  const client = await withInfo(proxy, 500)
  await client.subscribe('room')
  const sized = (bytes: number) => 'x'.repeat(bytes)
  for (const bytes of [commandBytesMax, 2_000_000]) {
    t.equal((await client.publish('room', sized(bytes))).error?.code, errors.limitExceeded.code)
    t.equal((await client.chatSend('room', sized(bytes))).error?.code, errors.limitExceeded.code)
    const since = { epoch: sized(bytes), offset: 0 }
    t.equal((await client.command({ history: { channel: 'room', since } })).error?.code, errors.limitExceeded.code)
  }
  t.equal(cluster.logData.range(commands, 0).next, 1, 'nothing of it is in the log')
  for (const bytes of [commandBytesMax - 3_000, 900_000]) {
    t.notOk((await client.publish('room', sized(bytes))).error)
    t.notOk((await client.chatSend('room', sized(bytes))).error)
  }
  await until('all arrived', () => client.dataOf('room').length === 4)
  for (const query of [
    { history: { channel: 'room', limit: 4 } },
    { rpc: { method: 'chat.messages', data: { channel: 'room' } } },
  ])
    t.notOk((await client.command(query)).error)
  await answered(other)
})

t.test('a command that the log refuses all the same', async (t) => {
  await using cluster = await clusterByHand()
  await give(cluster, await cluster.worker())
  const isHuge = ({ value }: { value: Buffer }) => value.length > 5_000
  const handles = cluster.handles({
    beforeAppend: (topic, _partition, entries) => {
      if (topic === commands && entries.some(isHuge)) throw new LogError('too_large', 'narrow')
    },
  })
  const client = await cluster.client(await cluster.proxy({ handles }))
  const sizes = [10, 20, 6_000, 30, 7_000, 40]
  const ids = sizes.map((bytes) => client.send({ publish: { channel: 'room', data: 'x'.repeat(bytes) } }))
  const read = client.send({ history: { channel: 'room', since: { epoch: 'x'.repeat(6_000), offset: 0 } } })
  await all(client, [...ids, read])
  const tooLarge = errors.limitExceeded.code
  t.same(
    [...ids, read].map((id) => client.replies.get(id)!.error?.code),
    [undefined, undefined, tooLarge, undefined, tooLarge, undefined, tooLarge],
  )
  t.equal((await handles.env.metrics.inFlight.get()).values[0]!.value, 0, 'nothing of it stays in flight')
  await answered(client)
})

t.test('an app that makes what no record can carry', async (t) => {
  await using cluster = await clusterByHand()
  const proxy = await cluster.proxy()
  const client = await cluster.client(proxy)
  const inflating: App = {
    ...chat,
    handle: async (state, given) =>
      (await chat.handle(state, given)).map((effects, index) =>
        effects.map((effect) =>
          effect.type === 'reply' && given[index]!.channel === 'inflated'
            ? { ...effect, body: JSON.stringify('x'.repeat(recordBytesMax)) }
            : effect,
        ),
      ),
  }
  await give(cluster, await cluster.worker({ app: inflating }))
  const [bad, good] = [
    client.send({ publish: { channel: 'inflated', data: 1 } }),
    client.send({ publish: { channel: 'good', data: 1 } }),
  ]
  await all(client, [bad, good])
  t.equal(client.replies.get(bad)!.error?.code, errors.deadLetter.code)
  t.notOk(client.replies.get(good)!.error)
  t.match(deadLettersIn(cluster.storeData.sql, onlySlot)[0], { reason: /a reply of \d+ bytes/ })
})

t.test('an app that makes more of a batch than one commit holds', async (t) => {
  await using cluster = await clusterByHand()
  const client = await cluster.client(await cluster.proxy())
  const body = JSON.stringify('x'.repeat(900_000))
  const chatty: App = {
    ...chat,
    handle: async (state, given) =>
      (await chat.handle(state, given)).map((effects) =>
        effects.map((effect) => (effect.type === 'reply' ? { ...effect, body } : effect)),
      ),
  }
  const ids = Array.from({ length: 20 }, () => client.send({ publish: { channel: 'room', data: 1 } }))
  await until('all are in the log', () => cluster.logData.range(commands, 0).next === ids.length)
  const handles = cluster.handles()
  await give(cluster, await cluster.worker({ app: chatty, handles }))
  await all(client, ids)
  t.notOk(ids.some((id) => client.replies.get(id)!.error))
  t.ok((await handles.env.metrics.commitsRefused.get()).values[0]!.value > 0, 'it was cut')
})

t.test('a message that an older version stored, and that no answer holds', async (t) => {
  await using cluster = await clusterByHand()
  await give(cluster, await cluster.worker())
  const client = await cluster.client(await cluster.proxy())
  const { epoch } = (await client.subscribe('room')).subscribe as { epoch: string }
  for (const data of [1, 2, 3]) await client.publish('room', data)
  const large = Buffer.from(JSON.stringify('x'.repeat(recordBytesMax)))
  cluster.storeData.sql.run('UPDATE message SET data = ? WHERE offset = 2', large)
  await client.command({ unsubscribe: { channel: 'room' } })
  const missed = await client.subscribe('room', { epoch, offset: 1 })
  t.match(missed, { subscribe: { was_recovering: true, offset: 3 } }, 'its subscriber begins anew')
  t.equal((missed.subscribe as { recovered?: true }).recovered, undefined)
  const history = (since: number) =>
    client.command({ history: { channel: 'room', limit: 9, since: { epoch, offset: since } } })
  t.match(await history(1), { error: { code: errors.limitExceeded.code } })
  t.match(await history(2), { history: { publications: [{ offset: 3 }] } })
  await answered(client)
})

t.test('a row that an older version left, and that the log can never take', async (t) => {
  await using cluster = await clusterByHand()
  const first = await cluster.worker()
  await give(cluster, first)
  const proxy = await cluster.proxy()
  const client = await cluster.client(proxy)
  const { epoch } = (await client.subscribe('room')).subscribe as { epoch: string }
  await client.publish('room', 1)
  first.kill()
  const left = () => Number(cluster.storeData.sql.get('SELECT count(*) AS n FROM outbox')!['n'])
  const { nextOffset } = await cluster.store.lease(onlySlot)
  cluster.storeData.sql.run(
    'INSERT INTO outbox (slot, batch_end, part, inboxes, body) VALUES (?, ?, ?, ?, ?)',
    onlySlot,
    nextOffset,
    7,
    JSON.stringify([proxy.id]),
    Buffer.alloc(appendBytesMax),
  )

  const handles = cluster.handles()
  const second = await cluster.worker({ handles })
  await give(cluster, second)
  await until('its subscriber is told', () => client.unsubscribed.length > 0)
  t.equal(client.unsubscribed[0]!.code, unsubscribes.insufficient.code)
  t.match(await client.subscribe('room', { epoch, offset: 1 }), { subscribe: { recovered: true } })
  t.notOk((await client.publish('room', 2)).error, 'the slot goes on')
  await until('the row is gone', () => left() === 0)
  const dropped = await handles.env.metrics.appendsDropped.get()
  t.match(dropped.values, [{ value: 1, labels: { topic: inboxTopic } }])
  const resyncs = cluster.logData
    .read(inboxTopic, 0, 0)
    .concat(...[1, 2, 3].map((partition) => cluster.logData.read(inboxTopic, partition, 0)))
    .filter(({ value }) => decodeInbox(value, proxy.id)?.type === 'resync')
  t.equal(resyncs.length, 1)

  await give(cluster, await cluster.worker(), second)
  t.notOk((await client.publish('room', 3)).error, 'and lets itself be handed over')
})
