/**
 * Proves what a proxy does with commands that are broken or hostile: any JSON, any parameters, a client that asks and does
 * not read. Each gets a documented answer or close, leaves nothing behind, and nobody else notices: two witnesses chat
 * throughout and lose nothing.
 */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import t from 'tap'
import { disconnects, errors } from '../../protocol/client/codes.ts'
import type { Wire } from '../harness/clients/wire.ts'
import { until } from '../support/until.ts'
import { Target } from './target.ts'

const target = await Target.start()
const { served } = target
const nothingLeft = () => target.nothingLeft()

/** Any parameters, some of them nearly right. */
const channel = fc.constantFrom('room', 'room', '', '$x', 'no:room', 'x'.repeat(300), '\ud800', '__proto__', 7, null)
const params = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      channel,
      data: fc.jsonValue(),
      token: fc.oneof(fc.string(), fc.jsonValue()),
      recover: fc.constantFrom(true, false, 'yes'),
      epoch: fc.constantFrom('', '_', 'e', 7),
      offset: fc.constantFrom(0, 1, 99, -1, 2 ** 53, '1'),
      flag: fc.constantFrom(0, 2, 3, 2 ** 52),
      limit: fc.constantFrom(-1, 0, 1, 1e9, -2),
      since: fc.constantFrom(null, {}, { offset: 0 }, { offset: 5, epoch: 'x' }, 7),
      reverse: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
)
const chatParams = fc.record({
  method: fc.constantFrom('chat.send', 'chat.messages', 'chat.other', '', 7),
  data: fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        channel,
        data: fc.jsonValue(),
        key: fc.oneof(fc.string(), fc.jsonValue()),
        after: fc.jsonValue(),
        before: fc.jsonValue(),
        limit: fc.oneof(fc.integer(), fc.jsonValue()),
      },
      { requiredKeys: [] },
    ),
  ),
})
const methods = [
  'subscribe',
  'unsubscribe',
  'publish',
  'history',
  'presence',
  'presence_stats',
  'sub_refresh',
  'refresh',
  'send',
  'connect',
  'dance',
] as const
const command = fc.oneof(
  fc.tuple(fc.constantFrom(...methods), params).map(([method, params]) => ({ [method]: params })),
  chatParams.map((params) => ({ rpc: params })),
  chatParams.map((params) => ({ rpc: params })),
)

const isIn = (wire: Wire, room: string): Promise<unknown> => wire.command({ subscribe: { channel: room } })

void t.test('any commands get a documented answer or a documented close', async (t) => {
  const documented = new Set<number>(Object.values(errors).map(({ code }) => code))
  const seen = { errors: new Set<number>(), closes: new Set<number>() }
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 8 }), async (commands) => {
      const wire = await served.client()
      await isIn(wire, 'room')
      const ids = wire.send(...commands)
      for (const [at, id] of ids.entries()) {
        await until(
          'an answer or the end',
          () => wire.closed !== null || wire.messages.some((message) => message.id === id),
        )
        const error = wire.messages.find((message) => message.id === id)?.error
        if (error === undefined) continue
        seen.errors.add(error.code)
        assert.ok(documented.has(error.code), `${error.code}`)
        // A subscribe that is taken back by the next command has its answer, too.
        const mayBeInternal = 'subscribe' in commands[at]!
        assert.ok(
          error.code !== errors.deadLetter.code && (error.code !== errors.internal.code || mayBeInternal),
          JSON.stringify([commands[at], error]),
        )
      }
      if (wire.closed) seen.closes.add(wire.closed.code)
      wire.terminate()
    }),
    { numRuns: 250 },
  )
  const { expired, invalidToken, badRequest, notAvailable } = disconnects
  const expected = [expired, invalidToken, badRequest, notAvailable]
  for (const closed of seen.closes)
    t.ok(
      expected.some(({ code }) => code === closed),
      `closed with ${closed}`,
    )
  t.ok(seen.errors.size >= 3, `errors ${[...seen.errors].join(' ')}`)
  await nothingLeft()
})

void t.test('JSON that is broken, deep, wide or large', async (t) => {
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  const breaches = [
    '[',
    '{',
    '"',
    '{"id":9',
    '{"id":9,"rpc":{}',
    '{"id":9,"rpc":{"data":1}}}',
    '\u0000',
    '{"id":9,"rpc":{"data":01}}',
    "{'id':9}",
    'nul',
    'undefined',
    '{"id":9,"rpc":{"data":"\u0001"}}',
    '{"id":9,"rpc":{"data":"\\x"}}',
    '[{"id":9,"rpc":{}}]',
    '9',
    'true',
    'null',
    deep(30_000),
    `{"id":9,"rpc":{"data":${deep(30_000)}}}`,
    `{"id":9,"publish":{"channel":"c","data":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}}`,
    '{"id":9,"rpc":'.repeat(3_000),
    '{"a":['.repeat(5_000),
  ]
  for (const text of breaches) {
    const wire = await served.client()
    wire.raw(text)
    t.match(await wire.close(), disconnects.badRequest, text.slice(0, 40))
  }
  const wire = await served.client()
  await isIn(wire, 'large')
  const names = Array.from({ length: 5_000 }, (_, at) => `"k${at}":0`).join(',')
  const fine = [
    `{${names}}`,
    `[${'[],'.repeat(15_000)}[]]`,
    '9'.repeat(60_000),
    `"${'\\u0000'.repeat(10_000)}"`,
    `{"__proto__":{"a":1},"constructor":null}`,
    `${' '.repeat(50_000)}1`,
  ]
  for (const [at, data] of fine.entries()) {
    wire.raw(`{"id":${100 + at},"publish":{"channel":"large","data":${data}}}`)
    t.equal((await wire.reply(100 + at)).error, undefined, `${data.slice(0, 20)}, ${data.length} characters`)
  }
  await until('all are delivered', () => wire.publications('large').length === fine.length)
  wire.raw('\n'.repeat(60_000))
  t.equal(await wire.errorOf({ rpc: {} }), errors.notAvailable.code, 'empty lines are nothing')
  wire.terminate()
  await nothingLeft()
})

void t.test('a client that asks and does not read', async (t) => {
  const wire = await served.client()
  await isIn(wire, 'asked')
  const data = 'x'.repeat(50_000)
  for (let i = 0; i < 10; i++) await wire.command({ publish: { channel: 'asked', data } })
  wire.pause()
  const slow = async (): Promise<number> => (await served.metrics.slowConsumers.get()).values[0]?.value ?? 0
  const before = await slow()
  for (let asked = 0; asked < 200; asked++) {
    wire.send({ history: { channel: 'asked', limit: -1 } })
    await setImmediate()
  }
  await until('it is given up', async () => (await slow()) === before + 1)
  wire.resume()
  t.match(await wire.close(), disconnects.slow)
  await nothingLeft()
})

void t.test('nobody else noticed', (t) => target.unnoticed(t))
