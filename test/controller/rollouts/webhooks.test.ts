/** Webhooks against a real server: gates are asked until they agree, notifications are told once, nobody waits. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import type { Test } from 'tap'
import type { Webhook } from '../../../controller/rollouts/spec.ts'
import { firstState } from '../../../controller/rollouts/state.ts'
import { Webhooks, notificationsMax, webhookMs } from '../../../controller/rollouts/webhooks.ts'
import type { HookPayload } from '../../../controller/rollouts/webhooks.ts'
import { testEnv } from '../../harness/env.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/until.ts'

const state = firstState('chat', 'v1', 'all', 0)

/** A server that answers with `status`, or not at all when it is null, and keeps what it was sent. */
async function stage(t: Test) {
  const got: HookPayload[] = []
  const world = { status: 200 as number | null, got }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      got.push(JSON.parse(body) as HookPayload)
      if (world.status !== null) response.writeHead(world.status).end('x'.repeat(10_000))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const clock = new ManualClock()
  const env = testEnv({ clock })
  const webhooks = new Webhooks(env)
  t.teardown(() => {
    webhooks.stop()
    server.closeAllConnections()
    server.close()
  })
  const hook = (more: Partial<Webhook> = {}): Webhook => ({
    name: 'gate',
    type: 'confirm-rollout',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/gate?x=1`,
    timeoutMs: 1_000,
    retries: 0,
    metadata: { team: 'chat' },
    ...more,
  })
  const total = async (result: string) => {
    const { values } = await env.metrics.webhooks.get()
    return values
      .filter(({ labels }) => 'result' in labels && labels.result === result)
      .reduce((sum, { value }) => sum + value, 0)
  }
  return { world, clock, webhooks, hook, total }
}

test('a gate is asked with Flagger’s payload, and open when it answers with 2xx', async (t) => {
  const { world, webhooks, hook } = await stage(t)
  t.equal(webhooks.ask('k', [hook()], state), null, 'nobody waits for it')
  await until('it has answered', () => webhooks.ask('k', [hook()], state) !== null)
  t.equal(webhooks.ask('k', [hook()], state), true)
  t.match(world.got, [
    { name: 'chat', namespace: 'default', phase: 'Healthy', checksum: /^[0-9a-f]{16}$/, metadata: { team: 'chat' } },
  ])
})

test('a gate that does not agree is asked again after a while, and opens when it does', async (t) => {
  const { world, clock, webhooks, hook, total } = await stage(t)
  world.status = 403
  webhooks.ask('k', [hook({ retries: 3 })], state)
  await until('it has answered', () => webhooks.ask('k', [hook()], state) === false)
  t.equal(world.got.length, 1, 'an answer is not asked for again at once')
  world.status = 202
  t.equal(webhooks.ask('k', [hook()], state), false)
  clock.advance(webhookMs.askAgain)
  await until('it agrees', () => webhooks.ask('k', [hook()], state) === true)
  t.equal(world.got.length, 2)
  t.equal(await total('yes'), 1)
  webhooks.keep(new Set())
  t.equal(webhooks.ask('k', [hook()], state), null, 'what is forgotten is asked anew')
})

test('all webhooks of a type have to agree', async (t) => {
  const { world, webhooks, hook } = await stage(t)
  const gone = hook({ url: 'http://127.0.0.1:9/' })
  webhooks.ask('k', [hook(), gone], state)
  await until('they have answered', () => webhooks.ask('k', [], state) === false)
  t.equal(world.got.length, 1)
})

test('one that does not answer in its time is tried again, as often as it says', async (t) => {
  const { world, clock, webhooks, hook } = await stage(t)
  world.status = null
  webhooks.ask('k', [hook({ retries: 1, timeoutMs: 100 })], state)
  await until('it was asked', () => world.got.length === 1)
  await until('it was asked again', () => {
    clock.advance(200)
    return world.got.length === 2
  })
  await until('it is given up', () => {
    clock.advance(200)
    return webhooks.ask('k', [], state) === false
  })
  t.equal(world.got.length, 2)
})

test('notifications come in their order, with a text for chats, and no more wait than there is room for', async (t) => {
  const { world, webhooks, hook, total } = await stage(t)
  const entry = { at: 5, type: 'RolloutCompleted', text: 'v2 serves', wanted: 100, had: 100 }
  const hooks = Array.from({ length: notificationsMax + 2 }, (_, index) =>
    hook({ type: 'event', metadata: { index: `${index}` } }),
  )
  webhooks.tell(hooks, state, entry)
  await until('all were told', () => world.got.length === notificationsMax)
  t.match(world.got[0], {
    text: 'chat: v2 serves',
    metadata: { eventType: 'RolloutCompleted', eventMessage: 'v2 serves', timestamp: '5' },
  })
  t.same(
    world.got.map(({ metadata }) => Number(metadata['index'])),
    Array.from({ length: notificationsMax }, (_, index) => index),
  )
  t.equal(await total('dropped'), 2)
})
