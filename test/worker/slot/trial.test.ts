/**
 * Proves which records are tried next, whatever goes wrong with them: as many as go together while nothing does; one at a
 * time where owners died; and of a batch that the store refuses exactly those are set aside that it cannot take, within a
 * number of tries that is bounded, while every other one is committed once and in order.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import type { LogRecord } from '../../../log/log.ts'
import { recordBytes } from '../../../log/rules.ts'
import { batchBytesMax } from '../../../protocol/records/sizes.ts'
import { Trial } from '../../../worker/slot/trial.ts'
import type { SetAside } from '../../../worker/slot/trial.ts'
import { holds } from '../../support/holds.ts'

const trusting = { carefulUntil: null, setAside: null }

function recordsFrom(first: number, count: number, bytes = 1): LogRecord[] {
  const value = Buffer.alloc(bytes)
  return Array.from({ length: count }, (_, at) => ({ offset: first + at, key: null, value }))
}

const offsetsOf = (records: LogRecord[]): number[] => records.map(({ offset }) => offset)

void t.test('a batch is all that waits, as far as it goes together', async (t) => {
  const trial = new Trial(3, trusting)
  t.strictSame(offsetsOf(trial.next(recordsFrom(7, 2)).records), [7, 8])
  t.strictSame(offsetsOf(trial.next(recordsFrom(7, 5)).records), [7, 8, 9], 'so many at most')
  const large = recordsFrom(7, 3, batchBytesMax / 2)
  t.strictSame(offsetsOf(trial.next(large).records), [7], 'and so large at most')
  t.strictSame(
    offsetsOf(trial.next(recordsFrom(7, 2, 2 * batchBytesMax)).records),
    [7],
    'one that is larger goes alone',
  )
})

void t.test('it is never empty, too long or too large, and takes the oldest', async (t) => {
  const sizes = fc.array(fc.constantFrom(1, 1_000, 300_000, batchBytesMax), { minLength: 1, maxLength: 12 })
  const values = new Map<number, Buffer>()
  const valueOf = (bytes: number) => values.getOrInsertComputed(bytes, () => Buffer.alloc(bytes))
  holds(
    t,
    fc.property(sizes, fc.integer({ min: 1, max: 8 }), (sizes, batchMax) => {
      const waiting = sizes.map((bytes, offset) => ({ offset, key: null, value: valueOf(bytes) }))
      const { records, isCareful } = new Trial(batchMax, trusting).next(waiting)
      assert.deepEqual(offsetsOf(records), offsetsOf(waiting.slice(0, records.length)))
      assert.ok(records.length > 0 && records.length <= batchMax && !isCareful)
      const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0)
      assert.ok(records.length === 1 || bytes <= batchBytesMax)
    }),
  )
})

void t.test('where owners died it goes one at a time, up to where the last one was', async (t) => {
  const trial = new Trial(10, { carefulUntil: 9, setAside: null })
  for (const first of [7, 8])
    t.match(trial.next(recordsFrom(first, 5)), { records: [{ offset: first }], isCareful: true }, 'a suspect')
  const { records, isCareful } = trial.next(recordsFrom(9, 3))
  t.strictSame([offsetsOf(records), isCareful], [[9, 10, 11], false], 'then as ever')
  t.equal(trial.setAside, null)
})

void t.test('what has ended its process often enough is set aside from the start', async (t) => {
  const trial = new Trial(10, { carefulUntil: 9, setAside: 8 })
  t.strictSame(trial.setAside, { offset: 8, reason: 'ended the process each time it was handled' })
})

void t.test('a batch that the store refuses is halved until one stands alone, and that is set aside', async (t) => {
  const trial = new Trial(8, trusting)
  const waiting = recordsFrom(0, 20)
  const tried: number[][] = []
  const next = (from: number) => {
    const { records } = trial.next(waiting.slice(from))
    tried.push(offsetsOf(records))
    return records
  }
  // It is the one at 2.
  t.equal(trial.refused(next(0)), true)
  t.equal(trial.refused(next(0)), true)
  next(0)
  t.equal(trial.refused(next(2)), true)
  t.equal(trial.setAside, null, 'it may be one that is beside it')
  t.equal(trial.refused(next(2)), true)
  t.strictSame(trial.setAside, { offset: 2, reason: 'the store refuses what it makes' })
  next(2)
  next(3)
  next(4)
  t.strictSame(tried, [
    [0, 1, 2, 3, 4, 5, 6, 7],
    [0, 1, 2, 3],
    [0, 1],
    [2, 3],
    [2],
    [2],
    [3],
    [4, 5, 6, 7, 8, 9, 10, 11],
  ])
})

void t.test('what is refused although it was set aside leaves nothing to try', async (t) => {
  const trial = new Trial(8, trusting)
  const alone = recordsFrom(3, 1)
  t.equal(trial.refused(alone), true)
  t.equal(trial.refused(alone), false)
})

/** All records go through a store that refuses some of them, each until it is set aside. */
function course(count: number, batchMax: number, carefulUntil: number | null, poisonous: Set<number>) {
  const trial = new Trial(batchMax, { carefulUntil, setAside: null })
  let waiting = recordsFrom(0, count)
  const committed: number[] = []
  const setAside: SetAside[] = []
  let tries = 0
  while (waiting.length > 0) {
    tries++
    const { records } = trial.next(waiting)
    const isShown = ({ offset }: LogRecord) => trial.setAside?.offset !== offset
    if (records.some((record) => poisonous.has(record.offset) && isShown(record))) {
      assert.ok(trial.refused(records))
      continue
    }
    for (const record of records) if (!isShown(record)) setAside.push(trial.setAside!)
    committed.push(...offsetsOf(records))
    waiting = waiting.slice(records.length)
  }
  return { committed, setAside, tries }
}

void t.test('exactly the poisonous ones are set aside, and all is soon behind the slot', async (t) => {
  const poison = fc.array(fc.nat({ max: 99 }), { maxLength: 30, size: 'max' })
  const careful = fc.option(fc.nat({ max: 100 }))
  holds(
    t,
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 64 }), careful, poison, (...given) => {
      const [count, batchMax, carefulUntil, offsets] = given
      const poisonous = new Set(offsets.filter((offset) => offset < count))
      const { committed, setAside, tries } = course(count, batchMax, carefulUntil, poisonous)
      const all = offsetsOf(recordsFrom(0, count))
      assert.deepEqual(committed, all, 'each once and in order')
      assert.deepEqual(
        setAside.map(({ offset }) => offset),
        all.filter((offset) => poisonous.has(offset)),
      )
      // For each, a batch is halved until it stands alone; of both halves at most one more is tried.
      const halvings = Math.ceil(Math.log2(batchMax)) + 1
      const undisturbed = Math.ceil(count / batchMax) + (carefulUntil ?? 0)
      assert.ok(tries <= undisturbed + poisonous.size * (2 * halvings + 1), `${tries} tries`)
    }),
    { numRuns: 500 },
  )
})
