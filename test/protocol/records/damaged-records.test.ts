/**
 * Proves that nothing that stands in the log where a record of ours should be can make a reader fail otherwise than
 * with a FormatError, by which it passes over the record: bytes of any kind, records that are cut or changed, JSON of
 * any shape, members of any type. And that announcements and hints come back as they went.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { errors } from '../../../protocol/client/codes.ts'
import { encodeAnswer } from '../../../protocol/records/answer.ts'
import { decodeCommand, encodeCommand } from '../../../protocol/records/command.ts'
import { decodeControl, encodeControl } from '../../../protocol/records/control.ts'
import type { ControlRecord } from '../../../protocol/records/control.ts'
import { encodeEnvelope } from '../../../protocol/records/envelope.ts'
import { FormatError } from '../../../protocol/records/errors.ts'
import type { SlotEvent } from '../../../protocol/records/event.ts'
import { decodeInbox } from '../../../protocol/records/inbox.ts'
import { encodeNotice } from '../../../protocol/records/notice.ts'
import { decodeStatus, encodeStatus } from '../../../protocol/records/status.ts'
import type { StatusRecord } from '../../../protocol/records/status.ts'
import { holds } from '../../support/holds.ts'
import { encodeEvents } from '../../support/records.ts'

const me = 'p-1'

const decoders: [name: string, decode: (value: Buffer) => unknown][] = [
  ['command', decodeCommand],
  ['inbox', (value) => decodeInbox(value, me)],
  ['status', decodeStatus],
  ['control', decodeControl],
]

/** Everything may refuse with a FormatError; nothing may throw another error. */
function decodesOrRefuses(value: Buffer): void {
  for (const [, decode] of decoders) {
    try {
      decode(value)
    } catch (error) {
      assert.ok(error instanceof FormatError, `${String(error)} for ${value.toString('latin1')}`)
    }
  }
}

const place = { offset: 1, index: 0, to: [me, 'p-2'] }
const events: SlotEvent[] = [
  { kind: 'publication', ...place, channel: 'c', epoch: 'e', top: 1, time: 1, body: Buffer.from('{"data":1}') },
  { kind: 'subscribed', ...place, n: 1, channel: 'c', epoch: 'e', top: 1 },
  { kind: 'reply', ...place, n: 1, error: { code: errors.badRequest.code, message: 'm' }, body: Buffer.from('{}') },
  { kind: 'tops', ...place, n: 1, tops: [['c', 'e', 1]] },
]
const moved: Extract<ControlRecord, { type: 'move' }> = {
  type: 'move',
  term: 1,
  slot: 'default/0' as const,
  epoch: 1,
  from: null,
  to: 'w',
  announced: { incarnation: 1, nextOffset: 2 },
}
const reached = moved.announced!
const internal = { host: 'h', port: 1 }
const beat = { type: 'heartbeat', id: 'i', pid: 1, version: 'v', internal, beat: 1 } as const
const owned = { slot: 'default/0' as const, epoch: 1, incarnation: 0, nextOffset: 1, waitingMs: 0 }
const tally = { commands: 3, errors: 1, refused: 0, silent: 1, several: 0 }
const counters = {
  commands: 3,
  errors: 1,
  effects: { publish: 1, reply: 2, fail: 1, read: 0 },
  violations: 0,
  methods: { publish: tally },
  handle: [0, 2],
  batch: [0, 0, 2],
}
const room = { ...tally, room: 'r', violations: 0, late: [0, 0, 0] }
const announced: StatusRecord[] = [
  { ...beat, role: 'worker', state: 'live', slots: [owned], claimed: ['default/0'], inFlight: 0, outbox: 0, term: 1 },
  { ...beat, role: 'proxy', state: 'live', clients: internal, generation: 1, sessions: 0, inboxOffset: 0 },
  {
    ...beat,
    role: 'worker',
    state: 'live',
    slots: [],
    claimed: [],
    inFlight: 0,
    outbox: 0,
    counters,
    rooms: [room],
  },
  {
    ...beat,
    role: 'proxy',
    state: 'live',
    clients: null,
    generation: 1,
    sessions: 0,
    inboxOffset: 0,
    violations: { v: 1 },
    closed: { client: 1, 3001: 2 },
  },
  { ...beat, role: 'controller', config: { revision: 3, rejected: 'r' } },
  { ...beat, role: 'engine' },
  { type: 'warmed', slot: 'default/0' as const, epoch: 1, worker: 'w' },
  { type: 'released', slot: 'default/0' as const, epoch: 1, worker: 'w', stoppedAt: 1 },
  {
    type: 'acquired',
    slot: 'default/0' as const,
    epoch: 1,
    worker: 'w',
    from: null,
    kind: 'planned',
    pauseMs: 0.5,
    place: reached,
  },
  { type: 'halted', slot: 'default/0' as const, worker: 'w', reason: 'r' },
  { type: 'left', role: 'worker', id: 'w' },
  { type: 'left', role: 'worker', id: 'w', failed: { version: 'v2', why: 'no app' } },
]
const hints: ControlRecord[] = [
  moved,
  { ...moved, announced: null },
  { type: 'drain', term: 1, worker: 'w' },
  { type: 'namespaces', term: 1, groups: [{ namespace: 'staff', group: 'inner' }] },
  { type: 'config', term: 1, revision: 2, faults: [{ name: 'f', stage: 'db', seed: 1 }] },
]

const whole: Buffer[] = [
  encodeCommand({
    producer: 'p',
    n: 1,
    instance: 'i',
    session: 's',
    user: 'u',
    channel: 'c',
    method: 'publish',
    time: 1,
    seed: 'f',
    history: { size: 1, ttlMs: 1 },
    connInfo: '{}',
    takesParts: true,
    payload: Buffer.from('1'),
  }),
  encodeEvents({ type: 'events', slot: 'default/0' as const, incarnation: 1, worker: 'w', version: 'v', events }),
  encodeAnswer({
    type: 'answer',
    slot: 'default/0' as const,
    to: me,
    n: 1,
    worker: 'w',
    version: 'v',
    error: null,
    part: { from: 3, of: 7 },
    body: Buffer.from('{}'),
  }),
  encodeNotice({ type: 'resync', slot: 'default/0' as const, to: [me] }),
  encodeNotice({ type: 'retired', to: me }),
  ...announced.map(encodeStatus),
  ...hints.map(encodeControl),
]

void t.test('announcements and hints come back as they went', async (t) => {
  for (const record of announced) t.strictSame(decodeStatus(encodeStatus(record)), record, JSON.stringify(record))
  for (const record of hints) t.strictSame(decodeControl(encodeControl(record)), record, JSON.stringify(record))
  const later = { ...announced[2]!, later: 'member' } as unknown as StatusRecord
  t.strictSame(decodeStatus(encodeStatus(later)), later, 'members that a newer version has are no error')
})

void t.test('any bytes', async (t) => {
  holds(
    t,
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => decodesOrRefuses(Buffer.from(bytes))),
  )
})

void t.test('a record that is cut anywhere, or followed by more', async (t) => {
  let cuts = 0
  for (const record of whole) {
    for (let length = 0; length < record.length; length++, cuts++) decodesOrRefuses(record.subarray(0, length))
    decodesOrRefuses(Buffer.concat([record, Buffer.from([0x7d])]))
  }
  t.pass(`${cuts} cuts`)
  const batch = whole[1]!
  for (const missing of [1, 5, 12]) {
    t.throws(() => decodeInbox(batch.subarray(0, -missing), me), FormatError, 'bodies that are not all there')
  }
})

void t.test('a record of which some bytes are others', async (t) => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 3 })
  holds(
    t,
    fc.property(fc.constantFrom(...whole), changes, (record, changes) => {
      const changed = Buffer.from(record)
      for (const [at, byte] of changes) changed[at % changed.length] = byte
      decodesOrRefuses(changed)
    }),
    { numRuns: 2_000 },
  )
})

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** Every place in a JSON value: how to put another value there. */
function* places(value: Json, put: (other: Json) => Json): Generator<(other: Json | undefined) => Json> {
  if (typeof value !== 'object' || value === null) return
  for (const name of Object.keys(value)) {
    const change = (other: Json | undefined): Json => {
      const copy = structuredClone(value) as Record<string, Json>
      if (other === undefined) delete copy[name]
      else copy[name] = other
      return put(copy)
    }
    yield change
    yield* places((value as Record<string, Json>)[name]!, change)
  }
}

const others: (Json | undefined)[] = [undefined, null, true, -1, 0.5, 2 ** 60, 'x', '', [], [null], [[]], {}, { a: 1 }]

/** What a record says apart from its payload, and how to make a record that says something else. */
function headerOf(record: Buffer): [header: Json, remake: (header: Json) => Buffer] {
  if (record[0] !== 1) return [JSON.parse(record.toString()) as Json, (header) => Buffer.from(JSON.stringify(header))]
  const end = 5 + record.readUInt32BE(1)
  const payload = record.subarray(end)
  return [JSON.parse(record.toString('utf8', 5, end)) as Json, (header) => encodeEnvelope(header as object, payload)]
}

void t.test('every member of every record absent, or of another type', async (t) => {
  let tried = 0
  for (const record of whole) {
    const [header, remake] = headerOf(record)
    for (const other of others) {
      if (other !== undefined) decodesOrRefuses(remake(other))
      for (const change of places(header, (changed) => changed)) {
        decodesOrRefuses(remake(change(other)))
        tried++
      }
    }
  }
  t.ok(tried > 1_000, `${tried} changes`)
})

void t.test('what a reader relies on is checked, member by member', async (t) => {
  const refuses = (decode: (value: Buffer) => unknown, header: unknown, payload = Buffer.alloc(0)) =>
    t.throws(
      () =>
        decode(
          decode === decodeStatus || decode === decodeControl
            ? Buffer.from(JSON.stringify(header))
            : encodeEnvelope(header as object, payload),
        ),
      FormatError,
      JSON.stringify(header),
    )
  const inbox = (value: Buffer) => decodeInbox(value, me)
  const batch = { type: 'events', slot: 'default/0' as const, inc: 1, w: 'w', v: 'v', to: [me] }
  const event = { k: 'publication', o: 1, x: 0, to: [0], l: 0, c: 'c', e: 'e', t: 1, at: 1 }
  t.ok(inbox(encodeEnvelope({ ...batch, events: [event] }, [])))
  refuses(inbox, { ...batch })
  refuses(inbox, { ...batch, events: [null] })
  for (const change of [{ l: 1 }, { l: -1 }, { o: '1' }, { x: null }, { c: 7 }, { e: null }, { t: 0.5 }, { at: 'x' }]) {
    refuses(inbox, { ...batch, events: [{ ...event, ...change }] })
  }
  const reply = { ...event, k: 'reply', n: 1 }
  for (const change of [{ n: 'x' }, { err: 7 }, { err: { code: '1', message: 'm' } }]) {
    refuses(inbox, { ...batch, events: [{ ...reply, ...change }] })
  }
  for (const tops of [7, [7], ['abc'], [['c', 'e']], [['c', 'e', '1']], [[1, 'e', 1]]]) {
    refuses(inbox, { ...batch, events: [{ ...event, k: 'tops', n: 1, tops }] })
  }
  const answer = { type: 'answer', slot: 'default/0' as const, to: me, n: 1, worker: 'w', version: 'v', error: null }
  for (const change of [
    { slot: 1 },
    { n: null },
    { version: 7 },
    { error: 'x' },
    { error: { code: 1 } },
    { part: 7 },
    { part: { from: 0, of: 5 } },
  ]) {
    refuses(inbox, { ...answer, ...change })
  }
  refuses(inbox, { type: 'resync', slot: 'default/0' as const, to: [me, 7] })
  refuses(inbox, { type: 'resync', to: [me] })
  const command = { p: '', n: 1, i: '', s: '', u: '', c: '', m: '', t: 1, r: '', h: [0, 0] }
  for (const change of [{ h: ['0', 0] }, { h: [0, null] }, { ci: 7 }]) refuses(decodeCommand, { ...command, ...change })
  for (const change of [{ type: 'later' }, { role: 'later' }, { internal: null }, { id: 7 }, { beat: '1' }]) {
    refuses(decodeStatus, { ...announced[0], ...change })
  }
  for (const slots of [7, [7], [{ ...owned, nextOffset: '1' }]]) refuses(decodeStatus, { ...announced[0], slots })
  refuses(decodeStatus, { ...announced[1], clients: { host: 7 } })
  for (const change of [
    { counters: 7 },
    { counters: { ...counters, effects: {} } },
    { counters: { ...counters, methods: { publish: { ...tally, silent: 0.5 } } } },
    { counters: { ...counters, handle: ['1'] } },
    { rooms: [7] },
    { rooms: [{ ...room, room: 7 }] },
    { rooms: [{ ...room, late: [null] }] },
  ]) {
    refuses(decodeStatus, { ...announced[0], ...change })
  }
  for (const change of [{ violations: [] }, { violations: { v: '1' } }, { closed: { client: null } }])
    refuses(decodeStatus, { ...announced[1], ...change })
  for (const change of [{ type: 'later' }, { term: '1' }, { from: 7 }, { announced: {} }]) {
    refuses(decodeControl, { ...moved, ...change })
  }
})
