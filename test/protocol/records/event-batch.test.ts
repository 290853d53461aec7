// Proves that a batch of events is cut into records that hold each event for each of its instances once, in order, and
// that none is larger than it may be as it is encoded, whatever its names, bodies and recipients are.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { encodeParts } from '../../../protocol/records/event-batch.ts'
import type { EventBatch } from '../../../protocol/records/event-batch.ts'
import type { SlotEvent } from '../../../protocol/records/event.ts'
import { decodeInbox } from '../../../protocol/records/inbox.ts'
import { recordBytesMax, recordOverheadBytes } from '../../../protocol/records/sizes.ts'
import { holds } from '../../support/holds.ts'

const head = { slot: 'default/0' as const, incarnation: 1, worker: 'w', version: 'v' }

function publication(event: Partial<SlotEvent & { kind: 'publication' }>): SlotEvent {
  const place = { offset: 1, index: 0, epoch: 'e', top: 1, time: 1 }
  return { kind: 'publication', to: ['p'], channel: 'room', body: Buffer.alloc(0), ...place, ...event }
}

const eventsOf = (value: Buffer, instance: string) => (decodeInbox(value, instance) as EventBatch | null)?.events ?? []

const instances = Array.from({ length: 12 }, (_, index) => `p-${index}`)
const name = fc.string({ unit: 'binary', maxLength: 40 })
const event = fc
  .record({ to: fc.subarray(instances, { minLength: 1 }), channel: name, length: fc.nat(300) })
  .map(({ to, channel, length }) => publication({ to, channel, body: Buffer.alloc(length, 'x') }))

void t.test('whatever the events are', async (t) => {
  holds(
    t,
    fc.property(fc.array(event, { maxLength: 30 }), fc.integer({ min: 1_000, max: 3_000 }), (given, bytesMax) => {
      const events = given.map((each, index) => ({ ...each, index }))
      const parts = encodeParts(head, events, bytesMax)
      for (const { value } of parts) assert.ok(value.length + recordOverheadBytes <= bytesMax)
      for (const instance of instances) {
        const mine = events.filter(({ to }) => to.includes(instance)).map((each) => ({ ...each, to: [instance] }))
        assert.deepEqual(
          parts.flatMap(({ value }) => eventsOf(value, instance)),
          mine,
        )
        for (const { to, value } of parts) assert.equal(to.includes(instance), eventsOf(value, instance).length > 0)
      }
    }),
  )
})

void t.test('events of names that escape to six times their length', async (t) => {
  const channel = '\u0001'.repeat(255)
  const events = Array.from({ length: 1_000 }, () => publication({ channel, body: Buffer.alloc(750) }))
  const parts = encodeParts(head, events)
  t.ok(parts.every(({ value }) => value.length <= recordBytesMax))
  t.equal(
    parts.reduce((sum, { value }) => sum + eventsOf(value, 'p').length, 0),
    events.length,
  )
})

void t.test('a large message for more instances than one record can name beside it', async (t) => {
  const to = Array.from({ length: 20_000 }, (_, index) => `p-${String(index).padStart(12, '0')}`)
  const body = Buffer.alloc(700_000)
  const parts = encodeParts(head, [publication({ to, body })])
  t.ok(parts.length > 1 && parts.every(({ value }) => value.length <= recordBytesMax))
  t.same(
    parts.flatMap((part) => part.to),
    to,
  )
})

void t.test('what is too large for one instance alone makes a record of its own', async (t) => {
  const events = [publication({}), publication({ body: Buffer.alloc(recordBytesMax) }), publication({})]
  t.same(
    encodeParts(head, events).map(({ value }) => eventsOf(value, 'p').length),
    [1, 1, 1],
  )
})
