/**
 * Proves that what one process writes into the log another reads back the same: envelopes, commands, events; that an
 * instance gets its own events and no others; and that bytes of another make are refused by name.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { encodeAnswer } from '../../../protocol/records/answer.ts'
import type { AnswerRecord } from '../../../protocol/records/answer.ts'
import { decodeCommand, encodeCommand } from '../../../protocol/records/command.ts'
import type { CommandRecord } from '../../../protocol/records/command.ts'
import { decodeEnvelope, encodeEnvelope, formatVersion } from '../../../protocol/records/envelope.ts'
import { FormatError } from '../../../protocol/records/errors.ts'
import type { EventBatch } from '../../../protocol/records/event-batch.ts'
import type { SlotEvent } from '../../../protocol/records/event.ts'
import { decodeInbox } from '../../../protocol/records/inbox.ts'
import { encodeNotice } from '../../../protocol/records/notice.ts'
import { slotId } from '../../../protocol/slot.ts'
import { holds } from '../../support/holds.ts'
import { encodeEvents } from '../../support/records.ts'

/** Plain objects, as decoders make them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(model, { noNullPrototype: true })

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const text = fc.string({ unit: 'binary', maxLength: 20 })
const slot = fc.tuple(text, fc.nat()).map(([group, partition]) => slotId(group, partition))
const count = fc.maxSafeNat()
const error = fc.option(record({ code: fc.nat(), message: text }))
const instances = ['p-1', 'p-2', 'p-10', 'constructor']
const to = fc.subarray(instances, { minLength: 1 })

void t.test('an envelope gives back its header and its bytes', async (t) => {
  holds(
    t,
    fc.property(fc.dictionary(text, fc.jsonValue()), fc.array(bytes, { maxLength: 4 }), (header, parts) => {
      const { header: read, payload } = decodeEnvelope(encodeEnvelope(header, parts))
      assert.deepEqual(read, JSON.parse(JSON.stringify(header)))
      assert.ok(payload.equals(Buffer.concat(parts)))
    }),
  )
})

void t.test('an envelope that is cut, of another version or no JSON is a FormatError', async (t) => {
  const whole = encodeEnvelope({ a: 1 }, Buffer.alloc(0))
  for (let length = 0; length < whole.length; length++) {
    t.throws(() => decodeEnvelope(whole.subarray(0, length)), FormatError, `${length} bytes`)
  }
  const other = Buffer.from(whole)
  other[0] = formatVersion + 1
  t.throws(() => decodeEnvelope(other), { name: 'FormatError', message: /format version 2/ })
  const broken = Buffer.from(whole)
  broken[5] = 0x7d
  t.throws(() => decodeEnvelope(broken), FormatError)
})

const hex = (digits: number) =>
  fc.string({
    unit: fc.integer({ min: 0, max: 15 }).map((digit) => digit.toString(16)),
    minLength: digits,
    maxLength: digits,
  })
const trace = fc.tuple(hex(32), hex(16), hex(2)).map((parts) => `00-${parts.join('-')}`)

/** As it was made, or with the context of a trace as well. */
const maybeTraced = <T extends object>(made: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.tuple(made, fc.option(trace)).map(([value, trace]) => (trace === null ? value : { ...value, trace }))

const command: fc.Arbitrary<CommandRecord> = maybeTraced(
  record({
    producer: text,
    n: count,
    instance: text,
    session: text,
    user: text,
    channel: text,
    method: text,
    time: count,
    seed: text,
    history: record({ size: fc.nat(), ttlMs: fc.nat() }),
    connInfo: fc.option(fc.json()),
    takesParts: fc.boolean(),
    payload: bytes,
  }),
)

void t.test('a command comes back as it went', async (t) => {
  holds(
    t,
    fc.property(command, (command) => assert.deepEqual(decodeCommand(encodeCommand(command)), command)),
  )
})

void t.test('what is not a command is a FormatError', async (t) => {
  const good = { p: '', n: 1, i: '', s: '', u: '', c: '', m: '', t: 1, r: '', h: [0, 0] }
  t.ok(decodeCommand(encodeEnvelope({ ...good, later: 'member' }, [])), 'an unknown member is ignored')
  const bad = [null, 7, 'x', [], {}, { ...good, n: '1' }, { ...good, c: 7 }, { ...good, h: [1] }, { ...good, t: 0.5 }]
  for (const header of bad) {
    t.throws(() => decodeCommand(encodeEnvelope(header as object, [])), FormatError, JSON.stringify(header))
  }
})

const place = { offset: count, index: fc.nat(), to }
const event: fc.Arbitrary<SlotEvent> = maybeTraced(
  fc.oneof(
    record({
      kind: fc.constant('publication' as const),
      ...place,
      channel: text,
      epoch: text,
      top: count,
      time: count,
      body: bytes,
    }),
    record({
      kind: fc.constant('subscribed' as const),
      ...place,
      n: count,
      channel: text,
      epoch: text,
      top: count,
    }),
    record({ kind: fc.constant('reply' as const), ...place, n: count, error, body: bytes }),
    record({
      kind: fc.constant('tops' as const),
      ...place,
      n: count,
      tops: fc.array(fc.tuple(text, text, count), { maxLength: 3 }),
    }),
  ),
)

const batch: fc.Arbitrary<EventBatch> = record({
  type: fc.constant('events' as const),
  slot,
  incarnation: fc.nat(),
  worker: text,
  version: text,
  events: fc.array(event, { minLength: 1, maxLength: 6 }),
})

void t.test('each instance gets its events of a batch, in order, and nothing else', async (t) => {
  holds(
    t,
    fc.property(batch, (batch) => {
      const value = encodeEvents(batch)
      for (const instance of [...instances, 'p-3']) {
        const mine = batch.events.filter((event) => event.to.includes(instance))
        const expected = { ...batch, events: mine.map((event) => ({ ...event, to: [instance] })) }
        assert.deepEqual(decodeInbox(value, instance), mine.length === 0 ? null : expected)
      }
    }),
  )
})

const answer: fc.Arbitrary<AnswerRecord> = maybeTraced(
  record({
    type: fc.constant('answer' as const),
    slot,
    to: fc.constantFrom(...instances),
    n: count,
    worker: text,
    version: text,
    error,
    part: fc.constant(null),
    body: bytes,
  }),
)

void t.test('an answer reaches the one it is for', async (t) => {
  holds(
    t,
    fc.property(answer, (answer) => {
      assert.deepEqual(decodeInbox(encodeAnswer(answer), answer.to), answer)
      assert.equal(decodeInbox(encodeAnswer(answer), `${answer.to}0`), null)
    }),
  )
})

void t.test('control records reach those they name', async (t) => {
  const resync = { type: 'resync' as const, slot: 'default/1' as const, to: ['p-1', 'p-2'] }
  t.strictSame(decodeInbox(encodeNotice(resync), 'p-2'), resync)
  t.equal(decodeInbox(encodeNotice(resync), 'p-3'), null)
  const retired = { type: 'retired' as const, to: 'p-1' }
  t.strictSame(decodeInbox(encodeNotice(retired), 'p-1'), retired)
  t.equal(decodeInbox(encodeNotice(retired), 'p-10'), null)
})

void t.test('what is not for an inbox is a FormatError', async (t) => {
  for (const header of [null, 7, 'x', [], {}, { type: 'later', to: 'p-1' }]) {
    t.throws(() => decodeInbox(encodeEnvelope(header as object, []), 'p-1'), FormatError, JSON.stringify(header))
  }
  const unknownKind = {
    type: 'events',
    slot: 'default/0' as const,
    inc: 1,
    w: '',
    v: '',
    to: ['p-1'],
    events: [{ k: 'later', to: [0], l: 0 }],
  }
  t.throws(() => decodeInbox(encodeEnvelope(unknownKind, []), 'p-1'), FormatError)
  t.throws(() => decodeInbox(encodeCommand(fc.sample(command, 1)[0]!), 'p-1'), FormatError)
})
