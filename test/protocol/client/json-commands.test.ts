/**
 * Proves how commands of clients are read: every method, defaults, members nobody knows, payloads as they came, and a
 * ProtocolError, never another error, for all that is not of the protocol.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { ProtocolError } from '../../../protocol/client/errors.ts'
import { commandEnd, commandStart, decodeCommand } from '../../../protocol/client/json-commands.ts'
import { holds } from '../../support/holds.ts'

const parse = (command: unknown, depth = 64) => decodeCommand(JSON.stringify(command), depth)

void t.test('every method', async (t) => {
  const cases: [command: object, expected: object][] = [
    [{}, { method: 'pong' }],
    [{ send: { data: 1 } }, { method: 'send' }],
    [
      { id: 1, connect: {} },
      { id: 1, method: 'connect', token: '' },
    ],
    [
      { id: 1, connect: { token: 'x' } },
      { id: 1, method: 'connect', token: 'x' },
    ],
    [
      { id: 2, refresh: { token: 'x' } },
      { id: 2, method: 'refresh', token: 'x' },
    ],
    [
      { id: 3, unsubscribe: { channel: 'c' } },
      { id: 3, method: 'unsubscribe', channel: 'c' },
    ],
    [
      { id: 4, publish: { channel: 'c', data: [1] } },
      { id: 4, method: 'publish', channel: 'c', data: '[1]' },
    ],
    [
      { id: 4, publish: { channel: 'c' } },
      { id: 4, method: 'publish', channel: 'c', data: null },
    ],
    [
      { id: 4, publish: { channel: 'c', data: null } },
      { id: 4, method: 'publish', channel: 'c', data: 'null' },
    ],
    [
      { id: 5, rpc: { method: 'm', data: {} } },
      { id: 5, method: 'rpc', name: 'm', data: '{}' },
    ],
    [
      { id: 5, rpc: {} },
      { id: 5, method: 'rpc', name: '', data: 'null' },
    ],
    [
      { id: 6, presence: { channel: 'c' } },
      { id: 6, method: 'presence' },
    ],
    [
      { id: 6, presence_stats: { channel: 'c' } },
      { id: 6, method: 'presence_stats' },
    ],
    [
      { id: 6, sub_refresh: { channel: 'c', token: 'x' } },
      { id: 6, method: 'sub_refresh' },
    ],
  ]
  for (const [command, expected] of cases) t.strictSame(parse(command), expected, JSON.stringify(command))
})

void t.test('subscribe', async (t) => {
  const plain = {
    id: 1,
    method: 'subscribe',
    channel: 'c',
    token: '',
    recover: null,
    recoverable: false,
    positioned: false,
    rejectUnrecovered: false,
    type: 0,
    delta: '',
    isFiltered: false,
  }
  t.strictSame(parse({ id: 1, subscribe: { channel: 'c' } }), plain)
  t.strictSame(parse({ id: 1, subscribe: { channel: 'c', epoch: 'e', offset: 7, flag: 1 } }), plain, 'does not recover')
  // The JavaScript SDK leaves out an offset of 0 and an epoch of ''.
  t.strictSame(parse({ id: 1, subscribe: { channel: 'c', recover: true } }), {
    ...plain,
    recover: { epoch: '', offset: 0 },
  })
  const all = { channel: 'c', token: 't', recover: true, epoch: 'e', offset: 7, recoverable: true, positioned: true }
  t.strictSame(parse({ id: 1, subscribe: { ...all, flag: 3, join_leave: true, data: {} } }), {
    ...plain,
    token: 't',
    recover: { epoch: 'e', offset: 7 },
    recoverable: true,
    positioned: true,
    rejectUnrecovered: true,
  })
  const other = { channel: 'c', type: 2, delta: 'fossil', tf: { op: 'and' } }
  t.strictSame(parse({ id: 1, subscribe: other }), { ...plain, type: 2, delta: 'fossil', isFiltered: true })
  for (const offset of [2 ** 53 - 1, 2 ** 53, 2 ** 64]) {
    const recover = { epoch: '', offset: Number.MAX_SAFE_INTEGER }
    t.strictSame(parse({ id: 1, subscribe: { channel: 'c', recover: true, offset } }), { ...plain, recover })
  }
})

void t.test('history', async (t) => {
  const plain = { id: 1, method: 'history', channel: 'c', limit: 0, since: null, reverse: false }
  t.strictSame(parse({ id: 1, history: { channel: 'c' } }), plain)
  t.strictSame(parse({ id: 1, history: { channel: 'c', limit: -1, since: {}, reverse: true } }), {
    ...plain,
    limit: -1,
    since: { offset: 0, epoch: '' },
    reverse: true,
  })
  t.strictSame(parse({ id: 1, history: { channel: 'c', limit: 10, since: { offset: 5, epoch: 'e' } } }), {
    ...plain,
    limit: 10,
    since: { offset: 5, epoch: 'e' },
  })
})

void t.test('null counts as absent, members nobody knows are ignored', async (t) => {
  t.strictSame(parse({ id: 1, connect: null, refresh: { token: null, later: {} }, later: 1 }), {
    id: 1,
    method: 'refresh',
    token: '',
  })
  t.match(parse({ id: 1, history: { channel: 'c', since: null, limit: null } }), { since: null, limit: 0 })
  t.match(parse({ id: 1, subscribe: { channel: 'c', tf: { op: 'x' }, delta: 'fossil', type: 0 } }), { channel: 'c' })
})

void t.test('a payload keeps its text', async (t) => {
  const data = '{ "big":12345678901234567890,"one":1.0, "one" : 2 }'
  t.match(decodeCommand(`{"id":1,"publish":{"channel":"c","data": ${data} }}`, 64), { data })
  t.match(decodeCommand(`{"publish":{"data":1},"id":1,"publish":{"data":${data},"channel":"c"}}`, 64), { data })
  t.match(decodeCommand(`{"id":1,"rpc":{"data":0,"d\\u0061ta":${data}}}`, 64), { data })
})

void t.test('what is not of the protocol is a ProtocolError', async (t) => {
  const methods = ['connect', 'subscribe', 'unsubscribe', 'publish', 'history', 'rpc', 'refresh'] as const
  const wrong: unknown[] = [
    null,
    7,
    'x',
    true,
    [],
    [{}],
    { id: 1 },
    { id: 0 },
    { id: 1, nothing: {} },
    { id: 1, ping: {} },
    { nothing: {} },
    ...methods.flatMap((method) => [
      ...[7, 'x', true, []].map((params) => ({ id: 1, [method]: params })),
      ...[undefined, 0, -1, 1.5, '1', true, 2 ** 53].map((id) => ({ id, [method]: {} })),
      ...(method === 'rpc' ? [] : [{ id: 1, [method]: { channel: 7, token: 7 } }]),
    ]),
    { id: 1, rpc: { method: 7 } },
    ...[7, 'yes', {}].map((value) => ({ id: 1, subscribe: { recover: value } })),
    ...[-1, 1.5, '7', {}, 2 ** 65].map((offset) => ({ id: 1, subscribe: { recover: true, offset } })),
    ...[{ type: '1' }, { type: 0.5 }, { delta: 1 }, { tf: 'x' }].map((subscribe) => ({ id: 1, subscribe })),
    ...[-2, 0.5, '1', true].map((limit) => ({ id: 1, history: { limit } })),
    ...[7, 'x', [], { offset: -1 }, { epoch: 7 }].map((since) => ({ id: 1, history: { since } })),
    { id: 1, history: { reverse: 1 } },
  ]
  for (const command of wrong) t.throws(() => parse(command), ProtocolError, JSON.stringify(command))
  for (const line of ['{', '}', '{"id":1,}', 'connect', '{"id":1}{"id":2}', "{'id':1}", '{"id":NaN}', '\u0000']) {
    t.throws(() => decodeCommand(line, 64), ProtocolError, line)
  }
})

void t.test('nesting is bounded', async (t) => {
  const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown
  t.match(parse({ id: 1, publish: { channel: 'c', data: nested(8) } }, 10), { method: 'publish' })
  t.throws(() => parse({ id: 1, publish: { channel: 'c', data: nested(9) } }, 10), ProtocolError)
  t.throws(() => decodeCommand('['.repeat(60_000), 64), ProtocolError)
})

void t.test('no text makes anything but a command or a ProtocolError', async (t) => {
  const almost = fc.tuple(fc.constantFrom('connect', 'subscribe', 'history', 'rpc', 'publish'), fc.jsonValue())
  const line = fc.oneof(
    fc.json(),
    fc.string({ unit: 'binary' }),
    almost.map(([method, params]) => JSON.stringify({ id: 1, [method]: params })),
  )
  holds(
    t,
    fc.property(line, (line) => {
      try {
        assert.equal(typeof decodeCommand(line, 64).method, 'string')
      } catch (error) {
        assert.ok(error instanceof ProtocolError)
      }
    }),
  )
})

function commandLines(frame: string): string[] {
  const lines: string[] = []
  for (let at = commandStart(frame, 0); at !== -1; at = commandStart(frame, commandEnd(frame, at)))
    lines.push(frame.slice(at, commandEnd(frame, at)))
  return lines
}

void t.test('a frame is its lines that are not empty', async (t) => {
  t.strictSame(commandLines('{"a":1}'), ['{"a":1}'])
  t.strictSame(commandLines('{}\n{"b":1}\r\n\n \t\n{}\n'), ['{}', '{"b":1}\r', '{}'])
  for (const empty of ['', '\n', ' \n\n ']) t.strictSame(commandLines(empty), [])
  holds(
    t,
    fc.property(fc.array(fc.json()), (texts) => assert.deepEqual(commandLines(texts.join('\n')), texts)),
  )
})
