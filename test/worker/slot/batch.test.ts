/**
 * Proves what a slot reads out of the records of its log: each command once, as far as its producer has counted; none of
 * an instance from the record on that says it is gone; what is unreadable is passed over; and which channels that needs.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { channelsOf, fingerprintOf, readBatch } from '../../../worker/slot/batch.ts'
import { holds } from '../../support/holds.ts'
import { command, from, mostlyPassedOver, records } from './slot-log.ts'

/** What the slot's owner knows: the last number of each producer, and the instances that are gone. */
const memory = (producers: [string, number][] = [], tombstones: string[] = []) => {
  return { producers: new Map(producers), tombstones: new Set(tombstones) }
}

t.test('what is dropped', async (t) => {
  const items = readBatch(memory([['p.1', 3]], ['dead']), records(...mostlyPassedOver))
  t.same(
    items.map(({ dropped }) => dropped),
    ['duplicate', null, 'duplicate', null, 'format', 'tombstone', null],
  )
})

t.test('an instance is gone from its record on, within the batch too', async (t) => {
  const gone = command({ producer: 'c', instance: 'c', method: 'gone', channel: '', payload: Buffer.from('dead') })
  const items = readBatch(memory(), records(from('dead'), gone, from('dead'), from('alive')))
  t.same(
    items.map(({ dropped }) => dropped),
    [null, null, 'tombstone', null],
  )
})

t.test('channels that a batch needs', async (t) => {
  const items = readBatch(
    memory(),
    records(
      command({ channel: 'a' }),
      command({ method: 'tops', channel: '', payload: Buffer.from('["b"]') }),
      Buffer.from('-'),
    ),
  )
  t.same([...channelsOf(items)], ['a', 'b'])
})

t.test('however often and in whatever pieces a producer sends, each number is taken once and in order', (t) => {
  const run = fc.record({ back: fc.nat({ max: 10 }), length: fc.integer({ min: 1, max: 8 }) })
  const producer = fc.record({ name: fc.constantFrom('p.1', 'p.2', 'q.1'), run })
  holds(
    t,
    fc.property(fc.array(producer, { maxLength: 12, size: 'max' }), fc.integer({ min: 1, max: 9 }), (sent, cut) => {
      const reached = new Map<string, number>()
      const values = sent.flatMap(({ name, run: { back, length } }) => {
        // Again from somewhere that was reached before, as after an append whose outcome was unknown.
        const first = Math.max(1, (reached.get(name) ?? 0) + 1 - back)
        const last = first + length - 1
        reached.set(name, Math.max(last, reached.get(name) ?? 0))
        return Array.from({ length }, (_, at) => command({ producer: name, n: first + at }))
      })
      const known = memory()
      const taken = new Map<string, number[]>()
      for (let at = 0; at < values.length; at += cut) {
        for (const item of readBatch(known, records(...values.slice(at, at + cut)))) {
          if (item.dropped !== null) continue
          const { producer, n } = item.command
          taken.getOrInsertComputed(producer, () => []).push(n)
          known.producers.set(producer, n)
        }
      }
      for (const [name, last] of reached)
        assert.deepEqual(
          taken.get(name),
          Array.from({ length: last }, (_, at) => at + 1),
          name,
        )
    }),
  )
  t.end()
})

t.test('a record is told from any other by its bytes', async (t) => {
  const value = command({})
  t.equal(fingerprintOf(value), fingerprintOf(Buffer.from(value)))
  t.not(fingerprintOf(value), fingerprintOf(command({})))
})
