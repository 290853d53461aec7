/** A property of every cluster: whatever the size of what clients send, all of it is answered. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { Test } from 'tap'
import type { Log } from '../../log/log.ts'
import { errors } from '../../protocol/client/codes.ts'
import { commandBytesMax, userBytesMax } from '../../protocol/records/sizes.ts'
import type { Store } from '../../store/store.ts'
import { Client } from '../harness/clients/client.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { secret, tokenFor } from '../harness/tokens.ts'
import { until } from '../support/until.ts'

/** Around every bound that a text of a client may meet. */
const lengths = [0, 1, 750, 12_000, 65_536, 300_000, commandBytesMax - 1_000, commandBytesMax, 1_100_000]
const length = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...lengths.slice(0, 5)) },
  { weight: 2, arbitrary: fc.constantFrom(...lengths.slice(5)) },
  { weight: 1, arbitrary: fc.integer({ min: commandBytesMax - 20_000, max: commandBytesMax }) },
)
/** Characters that take one byte and up to six where they are written. */
const unit = fc.constantFrom('x', '"', '\\', 'é', '한', '😀', '\u0001', '\u007f', '\ud800')
const textOf = (length: fc.Arbitrary<number>) =>
  fc.tuple(unit, length).map(([unit, length]) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length))

const channel = fc
  .tuple(fc.constantFrom('a', 'b', 'c'), textOf(fc.constantFrom(0, 1, 177, 254, 255)))
  .map(([room, rest]) => `${room}${rest}`)
const data = fc.oneof(
  textOf(length),
  textOf(length).map((text) => ({ [text.slice(0, 300)]: [text] })),
)
const offset = fc.nat(8)

const command: fc.Arbitrary<object> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ publish: fc.record({ channel, data }) }) },
  {
    weight: 2,
    arbitrary: fc
      .record({ channel, data, key: fc.option(fc.constantFrom('k', 'é'.repeat(128)), { nil: undefined }) })
      .map((data) => ({ rpc: { method: 'chat.send', data } })),
  },
  { weight: 3, arbitrary: fc.record({ subscribe: fc.record({ channel }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      subscribe: fc.record({ channel, recover: fc.constant(true), epoch: textOf(length), offset }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ unsubscribe: fc.record({ channel }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ history: fc.record({ channel, limit: fc.constant(100), reverse: fc.boolean() }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ history: fc.record({ channel, since: fc.record({ epoch: textOf(length), offset }) }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ channel }).map((data) => ({ rpc: { method: 'chat.messages', data } })),
  },
)

/** What a session is, and each of its commands so many times. */
const session = fc.record({
  user: textOf(fc.constantFrom(0, 1, 255, userBytesMax, 5_000)),
  info: fc.oneof(fc.constant(undefined), textOf(length)),
  commands: fc.array(fc.tuple(command, fc.constantFrom(1, 1, 1, 30)), { minLength: 1, maxLength: 6 }),
})
type Session = typeof session extends fc.Arbitrary<infer S> ? S : never

/** Bytes of one run at most, so that a run is short. */
const runBytesMax = 5_000_000

/** No other run begins after this time. The first one takes as long as it takes: a run that is cut off proves nothing. */
const runsMs = 10_000

/**
 * Whatever sessions send, of whatever size, each of their commands is answered, and so are those of a session that has
 * nothing to do with it, in the same slot.
 */
export async function answersWhateverTheSize(
  t: Test,
  open: () => Promise<{ log: Log; store: Store }>,
  numRuns: number,
): Promise<void> {
  const cluster = new InProcessCluster({
    'topics.slots': '1',
    'client.token.hmac_secret_key': secret,
    'client.command_rate': '1000000',
    'client.command_burst': '1000000',
    'client.reply_deadline': '1m',
    'client.queue_max_size': '1000000000',
    'proxy.position_check_interval': '100ms',
    'controller.death_time': '30s',
    'controller.proxy_death_time': '1m',
    'proxy.isolation_timeout': '1m',
  })
  t.teardown(() => cluster[Symbol.asyncDispose]())
  const handles = async () => ({ env: { ...cluster.handles().env, ...(await open()) } })
  await cluster.controller(await handles())
  await cluster.worker({ handles: await handles() })
  const proxy = await cluster.proxy({ handles: await handles() })
  const witness = await cluster.client(proxy)

  let played = 0
  const end = performance.now() + runsMs
  const play = async (sessions: Session[]) => {
    if (played > 0 && performance.now() > end) return
    played++
    const clients = await Promise.all(sessions.map((session) => connected(session)))
    let bytes = 0
    const sent = clients.flatMap((client, index) =>
      sessions[index]!.commands.flatMap(([command, times]) =>
        Array.from({ length: times }, () => {
          if (client.closed) return []
          bytes += JSON.stringify(command).length
          return bytes > runBytesMax ? [] : [{ client, command, id: client.send(command) }]
        }).flat(),
      ),
    )
    const ofWitness = await witness.publish('elsewhere', 1)
    assert.equal(ofWitness.error, undefined)
    for (const { client, command, id } of sent) {
      const what = `an answer to ${JSON.stringify(command).slice(0, 100)}`
      await until(what, () => client.replies.has(id) || client.closed !== null)
      const code = client.replies.get(id)?.error?.code
      // A subscribe that is given up ends with an internal error.
      assert.ok(
        code !== errors.deadLetter.code && (code !== errors.internal.code || 'subscribe' in command),
        `${what}, not ${code}`,
      )
    }
    assert.equal((await witness.publish('elsewhere', 2)).error, undefined)
    assert.deepEqual(witness.unsubscribed, [])
    for (const client of clients) client.drop()
  }
  const connected = async ({ user, info }: Session) => {
    const client = new Client(proxy)
    client.send({ connect: { token: await tokenFor(user, { claims: { info } }) } })
    await until('connected or refused', () => client.replies.size > 0 || client.closed !== null)
    return client
  }

  await witness.subscribe('elsewhere')
  const property = fc.asyncProperty(fc.array(session, { minLength: 1, maxLength: 4 }), play)
  const details = await fc.check(property, { numRuns })
  t.notOk(details.failed, details.failed ? failureOf(details) : `held for ${played} cases`)
}

/** The smallest counterexample, with texts cut to what they begin with and how long they are. */
function failureOf({ seed, counterexample, errorInstance }: fc.RunDetails<[Session[]]>): string {
  const short = (_name: string, value: unknown) =>
    typeof value === 'string' && value.length > 20 ? `${value.slice(0, 3)}… ${value.length}` : value
  return `seed ${seed}: ${String(errorInstance)} with ${JSON.stringify(counterexample, short)}`
}
