import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Centrifuge } from 'centrifuge'
import { Faults } from 'holdfast/testing'
import { WebSocket } from 'ws'

const faults = new Faults()
const { CHAT_URL, CHAT_TOKEN } = process.env

/** A client of the chat that is in a room, until the end of its block. */
async function clientIn(room) {
  const client = new Centrifuge(CHAT_URL, { websocket: WebSocket, token: CHAT_TOKEN })
  const subscription = client.newSubscription(room)
  const seen = []
  let closes = 0
  subscription.on('publication', ({ data }) => seen.push(data))
  subscription.subscribe()
  client.connect()
  await subscription.ready(10_000)
  client.on('connecting', () => closes++)
  return {
    publish: (data) => subscription.publish(data),
    closes: () => closes,
    /** What it has seen, once that is so much. */
    async seen(count) {
      while (seen.length < count) await sleep(10)
      return seen
    },
    [Symbol.dispose]: () => client.disconnect(),
  }
}

test('a slow store makes a message late, and nothing else', { timeout: 20_000 }, async () => {
  using ada = await clientIn('slow')
  await using _ = await faults.delay({ stage: 'worker.beforeCommit', fixedDelay: '300ms' })
  const sentAt = performance.now()
  await ada.publish('hello')
  assert.ok(performance.now() - sentAt >= 300)
  assert.deepEqual(await ada.seen(1), ['hello'])
})

test('a worker that dies right after its commit loses and doubles nothing', { timeout: 20_000 }, async () => {
  using ada = await clientIn('deadly')
  await using _ = await faults.kill({ stage: 'worker.afterCommit', match: { user: { exact: 'ada' } }, seed: 7 })
  await ada.publish('one')
  await ada.publish('two')
  assert.deepEqual(await ada.seen(2), ['one', 'two'])
  assert.equal(ada.closes(), 0)
})

test('the user is told when the chat refuses a message for a while', { timeout: 20_000 }, async () => {
  using ada = await clientIn('refused')
  {
    await using _ = await faults.abort({ stage: 'worker.afterPoll', code: 111 })
    await assert.rejects(ada.publish('now'), { code: 111 })
  }
  await ada.publish('later')
  assert.deepEqual(await ada.seen(1), ['later'])
})
