/**
 * Proves, for any stream of events and any way of emitting it (each emitter in order, from anywhere that was reached
 * before, cut into records anywhere, between records of other slots, other instances and none of ours): a session gets
 * every publication once and in order; and of a stream with holes it gets what comes before the first one and is then
 * told that its position is insufficient.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { clusterTopics } from '../../cluster/topics.ts'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import { unsubscribes } from '../../protocol/client/codes.ts'
import { encodeAnswer } from '../../protocol/records/answer.ts'
import type { SlotEvent } from '../../protocol/records/event.ts'
import { inboxTopic } from '../../protocol/records/topics.ts'
import { slotId } from '../../protocol/slot.ts'
import { Hub } from '../../proxy/channels/hub.ts'
import { Dispatcher } from '../../proxy/dispatcher.ts'
import { Inbox } from '../../proxy/inbox.ts'
import { Output } from '../../proxy/sessions/output.ts'
import { ReadBudget } from '../../proxy/sessions/read-budget.ts'
import { Uplink } from '../../proxy/uplink/uplink.ts'
import { FrameReader } from '../harness/clients/frame-reader.ts'
import type { Message } from '../harness/clients/messages.ts'
import { testEnv } from '../harness/env.ts'
import { testConfig } from '../harness/settings.ts'
import { connectionOf } from '../support/connection.ts'
import { encodeEvents } from '../support/records.ts'
import { sessionOf } from '../support/session.ts'
import { until } from '../support/until.ts'

const me = 'p-me'
const other = 'p-other'
const slot = slotId('default', 0)
const incarnation = 3

/** What of a proxy stands between its inbox and one session, which has subscribed to `room`. */
class Rig implements Disposable {
  readonly data = new MemoryLogData()
  readonly messages: Message[] = []
  readonly #reader = new FrameReader()
  readonly ended: unknown[] = []
  readonly #log = new MemoryLog(this.data)
  readonly #output: Output
  readonly #uplink: Uplink
  readonly #inbox: Inbox

  constructor() {
    this.data.createTopics(clusterTopics(testConfig({ 'topics.slots': '1', 'topics.inbox_partitions': '1' })))
    const env = testEnv({ log: this.#log })
    this.#uplink = new Uplink(env, {
      instance: me,
      producer: `${me}.1`,
      slotOf: () => 'default/0',
      inFlight: { commands: 100, bytes: 1_000_000 },
      replyDeadlineMs: 60_000,
      settled: () => {},
    })
    this.#output = new Output(env, {
      placeOf: (channel) => ({ channel }),
      queueMaxBytes: 1e9,
      stallMs: 1e9,
      close: () => assert.fail('closed as slow'),
      overflowed: () => assert.fail('let behind'),
      room: () => {},
    })
    const hub = new Hub(env, this.#uplink, this.#output, new ReadBudget(env.clock, { rate: 1e6, burst: 1e9 }), {
      replyDeadlineMs: 60_000,
      recoveryLimit: 100,
      joined: (_channel, { session, id }, result, publications) =>
        this.#output.send(session, { kind: 'subscribed', id, result, publications }),
      failed: () => assert.fail('not subscribed'),
      dropped: () => {},
    })
    const retired = () => assert.fail('retired')
    this.#inbox = new Inbox(env, {
      instance: me,
      partition: 0,
      uplink: this.#uplink,
      dispatcher: new Dispatcher(this.#uplink, hub),
      retired,
    })
    const connection = connectionOf({ write: (frame) => void this.messages.push(...this.#reader.take(frame)) })
    const session = sessionOf('s', connection)
    session.phase = 'connected'
    hub.subscribe(session, 'room', {
      id: 1,
      recover: null,
      rejectUnrecovered: false,
      isRecoverable: true,
      isPositioned: true,
      wasRecovering: false,
      history: { size: 0, ttlMs: 0 },
      expiresAt: 0,
    })
    this.#inbox.run(0).catch((error: unknown) => this.ended.push(error))
  }

  /** Puts records into the inbox and waits until all are taken, and what comes of them is out. */
  async take(records: Buffer[]): Promise<void> {
    this.data.append(
      inboxTopic,
      0,
      records.map((value) => ({ key: null, value })),
    )
    const { next } = this.data.range(inboxTopic, 0)
    await until('all is read', () => this.#inbox.offset === next || this.ended.length > 0)
    await new Promise((resolve) => setImmediate(resolve))
    // It rests after a write that took long.
    await new Promise<void>((resolve) => this.#output.whenWritten(resolve))
    assert.deepEqual(this.ended, [])
  }

  get offsets(): number[] {
    return this.messages.flatMap(({ push }) => (push?.pub ? [push.pub.offset] : []))
  }

  get unsubscribed(): number[] {
    return this.messages.flatMap(({ push }) => (push?.unsubscribe ? [push.unsubscribe.code] : []))
  }

  [Symbol.dispose](): void {
    this.#inbox.stop()
    this.#uplink.stop()
    void this.#log.close()
  }
}

/** The events of one slot for `room`: its opening (command 1 of this instance), then publications. */
function streamOf(steps: number[]): SlotEvent[] {
  let [offset, index] = [0, 0]
  const to = [me, other]
  const opening: SlotEvent = { kind: 'subscribed', offset, index, to, n: 1, channel: 'room', epoch: 'e', top: 0 }
  return [
    opening,
    ...steps.map((step, at): SlotEvent => {
      // Several events may come of one command.
      ;[offset, index] = step === 0 ? [offset, index + 1] : [offset + step, 0]
      const body = Buffer.from(`{"offset":${at + 1},"data":${at}}`)
      return { kind: 'publication', offset, index, to, channel: 'room', epoch: 'e', top: at + 1, time: 0, body }
    }),
  ]
}

/** Where an emitter starts, counted back from what was reached, and how far it comes. */
const runs = fc.array(fc.record({ back: fc.nat({ max: 40 }), length: fc.integer({ min: 1, max: 15 }) }), {
  maxLength: 12,
})
const steps = fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 40, size: 'max' })
const cuts = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 })
const strays = fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 6 })

/** Every event at least once, none before all that precede it, many again. */
function emitted(events: SlotEvent[], runs: { back: number; length: number }[]): SlotEvent[] {
  const out: SlotEvent[] = []
  let reached = 0
  for (const { back, length } of [...runs, { back: 0, length: events.length }]) {
    const start = Math.max(0, reached - back)
    const end = Math.min(events.length, start + length)
    out.push(...events.slice(start, end))
    reached = Math.max(reached, end)
  }
  return out
}

const head = { slot, incarnation, worker: 'w', version: 'v' } as const

function recordsOf(events: SlotEvent[], cuts: number[]): Buffer[] {
  const records: Buffer[] = []
  for (let at = 0, cut = 0; at < events.length; cut++) {
    const end = at + cuts[cut % cuts.length]!
    records.push(encodeEvents({ type: 'events', ...head, events: events.slice(at, end) }))
    at = end
  }
  return records
}

/** A record that has nothing to say about `room` to this instance, whatever it says. */
function stray(kind: number, events: SlotEvent[]): Buffer {
  const foreign = events.map((event) => ({ ...event, to: [other] }))
  const last = events.at(-1)!
  switch (kind) {
    case 0:
      return encodeEvents({ type: 'events', ...head, incarnation: incarnation + 1, events: foreign })
    case 1:
      // Its channel is not open here.
      return encodeEvents({
        type: 'events',
        ...head,
        slot: slotId('default', 1),
        incarnation: 9,
        events: [{ kind: 'reply', offset: last.offset, index: 99, to: [me], n: 1, error: null, body: Buffer.alloc(0) }],
      })
    case 2:
      // Of an incarnation that was given up before.
      return encodeEvents({ type: 'events', ...head, incarnation: incarnation - 1, events })
    case 3:
      return encodeAnswer({
        type: 'answer',
        slot,
        to: me,
        n: 77,
        worker: 'w',
        version: 'v',
        error: null,
        part: null,
        body: Buffer.alloc(0),
      })
    case 4:
      return Buffer.from('none of ours')
    default:
      return encodeAnswer({
        type: 'answer',
        slot,
        to: other,
        n: 1,
        worker: 'w',
        version: 'v',
        error: null,
        part: null,
        body: Buffer.alloc(0),
      })
  }
}

function withStrays(records: Buffer[], strays: number[], events: SlotEvent[]): Buffer[] {
  // Not before the first one: a stray of an older incarnation is only older once this one is known.
  return records.flatMap((record, at) => [record, stray(strays[at % strays.length]!, events)])
}

void t.test('however often and in whatever pieces events are emitted, each is taken once and in order', async (t) => {
  let duplicates = 0
  await fc.assert(
    fc.asyncProperty(steps, runs, cuts, strays, async (steps, runs, cuts, strays) => {
      using rig = new Rig()
      const events = streamOf(steps)
      const all = emitted(events, runs)
      duplicates += all.length - events.length
      await rig.take(withStrays(recordsOf(all, cuts), strays, events))
      assert.deepEqual(
        rig.offsets,
        Array.from(steps, (_, at) => at + 1),
      )
      assert.deepEqual(rig.unsubscribed, [])
    }),
    { numRuns: 200 },
  )
  t.ok(duplicates > 500, `held, with ${duplicates} duplicates`)
})

void t.test('of a stream with holes a session gets what precedes the first one, and is told', async (t) => {
  const lost = fc.array(fc.nat(), { minLength: 1, maxLength: 3 })
  let told = 0
  await fc.assert(
    fc.asyncProperty(steps, runs, cuts, lost, async (steps, runs, cuts, lost) => {
      using rig = new Rig()
      const events = streamOf(steps)
      const missing = new Set(lost.map((at) => events[1 + (at % steps.length)]!))
      await rig.take(
        recordsOf(
          emitted(events, runs).filter((event) => !missing.has(event)),
          cuts,
        ),
      )
      const first = events.findIndex((event) => missing.has(event))
      assert.deepEqual(
        rig.offsets,
        Array.from({ length: first - 1 }, (_, at) => at + 1),
      )
      const isNoticed = events.slice(first).some((event) => !missing.has(event))
      assert.deepEqual(rig.unsubscribed, isNoticed ? [unsubscribes.insufficient.code] : [], 'once')
      if (isNoticed) told++
    }),
    { numRuns: 200 },
  )
  t.ok(told > 50, `held, ${told} were told`)
})

void t.test('a new incarnation counts its positions anew; a new epoch is told', async (t) => {
  using rig = new Rig()
  const events = streamOf([1, 1])
  await rig.take(recordsOf(events, [1]))
  const next = {
    ...events[1]!,
    kind: 'publication',
    offset: 0,
    index: 0,
    top: 3,
    channel: 'room',
    epoch: 'e',
  } as SlotEvent & { kind: 'publication' }
  const body = Buffer.from('{"offset":3,"data":0}')
  await rig.take([encodeEvents({ type: 'events', ...head, incarnation: incarnation + 1, events: [{ ...next, body }] })])
  t.strictSame(rig.offsets, [1, 2, 3])
  await rig.take([
    encodeEvents({
      type: 'events',
      ...head,
      incarnation: incarnation + 1,
      events: [{ ...next, body, offset: 1, epoch: 'f', top: 1 }],
    }),
  ])
  t.strictSame([rig.offsets, rig.unsubscribed], [[1, 2, 3], [unsubscribes.invalidated.code]])
})
