/**
 * Proves the way of a worker's events and answers into the log: a row is done when every lane that it went into has it; one
 * that the log can never take, which an older version left, becomes a resync at its place; what a full lane holds is taken
 * out of it, of one owner alone; and large answers go in parts, when nothing else does.
 */
import t from 'tap'
import { LogError } from '../../../log/errors.ts'
import { errors } from '../../../protocol/client/codes.ts'
import type { AnswerRecord } from '../../../protocol/records/answer.ts'
import { decodeInbox } from '../../../protocol/records/inbox.ts'
import { answerPartBytesMax, appendBytesMax, recordBytesMax } from '../../../protocol/records/sizes.ts'
import { inboxTopic } from '../../../protocol/records/topics.ts'
import type { OutboxRow } from '../../../store/store.ts'
import { answersMaxBytes } from '../../../worker/emit/lanes.ts'
import type { Lanes } from '../../../worker/emit/lanes.ts'
import { until } from '../../support/until.ts'
import { fast, rowBytes, rowOf, slow, twoLanes } from '../two-lanes.ts'

/** The answer of a read, but for its number and body. */
const answerTo = (to: string) => {
  return { type: 'answer' as const, slot: 'default/0' as const, to, worker: 'w', version: 'v', error: null, part: null }
}

/** Emits rows of an owner; returns the parts of those that are done, as they come to be. */
function emit(lanes: Lanes, rows: OutboxRow[], owner = 'token'): number[] {
  const done: number[] = []
  for (const row of rows) lanes.emit('default/0', owner, row, () => void done.push(row.part))
  return done
}

t.test('a row is done when all its lanes have it', async (t) => {
  const { data, lanes, gate } = twoLanes(t)
  const done = emit(lanes, [rowOf(10, 0, [fast]), rowOf(10, 1, [fast, slow]), rowOf(10, 2, [])])
  await until('the fast one is there', () => done.length === 2)
  t.same(done, [2, 0], 'one for nobody at once')
  t.notOk(lanes.isIdle)
  gate.open()
  await until('the slow one too', () => done.length === 3)
  t.equal(data.range(inboxTopic, 0).next, 2)
  t.equal(data.range(inboxTopic, 1).next, 1)
  await until('nothing is left', () => lanes.isIdle)
})

t.test('one partition of several inboxes gets a row once', async (t) => {
  const { data, lanes } = twoLanes(t)
  const done = emit(lanes, [rowOf(10, 0, [fast, fast])])
  await until('it is there', () => done.length === 1)
  t.equal(data.range(inboxTopic, 0).next, 1)
})

t.test('a row that the log can never take is a resync at its place', async (t) => {
  const { data, lanes, gate } = twoLanes(t)
  gate.open()
  const body = Buffer.alloc(appendBytesMax)
  const done = emit(lanes, [rowOf(10, 0, [fast]), { ...rowOf(10, 1, [fast, slow]), body }, rowOf(10, 2, [fast])])
  await until('all are done', () => done.length === 3)
  const [ofFast, ofSlow] = [data.read(inboxTopic, 0, 0), data.read(inboxTopic, 1, 0)]
  t.equal(ofFast.length, 3, 'its neighbours are there')
  t.same(decodeInbox(ofFast[1]!.value, fast), { type: 'resync', slot: 'default/0', to: [fast] })
  t.same(decodeInbox(ofSlow[0]!.value, slow), { type: 'resync', slot: 'default/0', to: [slow] })
})

t.test('where the log takes not even the resync, the row is done all the same', async (t) => {
  const { lanes } = twoLanes(t, () => {
    throw new LogError('too_large', 'never')
  })
  const done = emit(lanes, [rowOf(10, 0, [fast]), rowOf(10, 1, [fast])])
  await until('both are done', () => done.length === 2)
})

t.test('an owner that lost its slot leaves nothing in the lanes but what is being appended', async (t) => {
  const { data, lanes, gate } = twoLanes(t)
  const done = emit(lanes, [rowOf(10, 0, [slow])])
  await until('the lane is held', () => gate.held === 1)
  const lost = emit(lanes, [rowOf(10, 1, [slow])])
  const others = emit(lanes, [rowOf(7, 0, [slow])], 'another')
  lanes.drop('token')
  gate.open()
  await until('the others are there', () => others.length === 1)
  t.same([done, lost], [[0], []], 'it is in the outbox still, for the next owner')
  t.equal(data.range(inboxTopic, 1).next, 2)
})

t.test('of a lane that is full the rows of one owner are taken out, and are done there', async (t) => {
  const { lanes, gate } = twoLanes(t)
  emit(lanes, [rowOf(9, 9, [slow])])
  await until('the lane is held', () => gate.held === 1)
  const first = emit(lanes, [rowOf(10, 0, [slow])])
  t.same(lanes.takeOverflow('token'), [], 'not full yet')
  const more = emit(lanes, [rowOf(10, 1, [fast, slow])])
  const others = emit(lanes, [rowOf(7, 0, [slow])], 'another')
  const taken = lanes.takeOverflow('token')
  t.same(
    taken.map(({ row, inboxes }) => [row.part, inboxes]),
    [
      [0, [slow]],
      [1, [slow]],
    ],
    'each with the inboxes that miss it',
  )
  t.same(first, [0])
  await until('the other lane has it', () => more.length === 1)
  t.same(others, [])
  t.same(lanes.takeOverflow('token'), [])
})

t.test('an inbox with many answers on its way has no room for more', async (t) => {
  const { lanes, gate } = twoLanes(t)
  const body = Buffer.alloc(recordBytesMax / 2)
  lanes.answer({ ...answerTo(slow), n: 0, body }, false, () => {})
  await until('the lane is held', () => gate.held === 1)
  const most = Math.ceil(answersMaxBytes / body.length)
  for (let n = 1; n < most; n++) lanes.answer({ ...answerTo(slow), n, body }, false, () => {})
  t.ok(lanes.hasRoomFor(slow))
  lanes.answer({ ...answerTo(slow), n: most, body }, false, () => {})
  t.notOk(lanes.hasRoomFor(slow))
  t.ok(lanes.hasRoomFor(fast))
  gate.open()
  await until('they are gone', () => lanes.hasRoomFor(slow))
})

t.test('an answer that is too large, or that the log can never take', async (t) => {
  const { data, lanes, gate } = twoLanes(t)
  gate.open()
  const answer = answerTo(fast)
  lanes.answer({ ...answer, n: 1, body: Buffer.alloc(recordBytesMax) }, false, () => {})
  lanes.answer({ ...answer, n: 2, body: Buffer.alloc(recordBytesMax - 1_000) }, false, () => {})
  await until('both are there', () => data.range(inboxTopic, 0).next === 2)
  const answers = data.read(inboxTopic, 0, 0).map(({ value }) => decodeInbox(value, fast) as AnswerRecord)
  t.same(
    answers.map(({ n, error, body }) => [n, error?.code, body.length]),
    [
      [1, errors.limitExceeded.code, 0],
      [2, undefined, recordBytesMax - 1_000],
    ],
  )

  const narrow = twoLanes(t, (entries) => {
    if (entries.some(({ value }) => value.length > 500)) throw new LogError('too_large', 'narrow')
  })
  narrow.gate.open()
  narrow.lanes.answer({ ...answer, n: 3, body: Buffer.alloc(600) }, false, () => {})
  await until('it is there', () => narrow.data.range(inboxTopic, 0).next === 1)
  t.match(decodeInbox(narrow.data.read(inboxTopic, 0, 0)[0]!.value, fast), {
    n: 3,
    error: { code: errors.limitExceeded.code },
  })
})

t.test('a large answer goes in parts, in order, to whoever takes parts', async (t) => {
  const { data, lanes, gate } = twoLanes(t)
  const body = Buffer.from(Array.from({ length: 2 * answerPartBytesMax + 10 }, (_, at) => at % 251))
  const answer = answerTo(slow)
  let dones = 0
  lanes.answer({ ...answer, n: 1, body }, true, () => dones++)
  await until('the first is on its way', () => gate.held === 1)
  lanes.emit('default/0', 'token', rowOf(10, 0, [slow]), () => {})
  gate.open()
  await until('the log has all', () => dones === 1)
  const values = data.read(inboxTopic, 1, 0).map(({ value }) => value)
  t.equal(values.length, 4)
  t.equal(values[1]!.length, rowBytes, 'an event goes between')
  const parts = [values[0]!, ...values.slice(2)].map((value) => decodeInbox(value, slow) as AnswerRecord)
  t.same(
    parts.map(({ part }) => part),
    [0, 1, 2].map((index) => ({ from: index * answerPartBytesMax, of: body.length })),
  )
  t.ok(Buffer.concat(parts.map((part) => part.body)).equals(body))

  lanes.answer({ ...answer, n: 2, body }, false, () => dones++)
  await until('it is there too', () => dones === 2)
  const [whole] = data.read(inboxTopic, 1, 4)
  const { n, part, body: all } = decodeInbox(whole!.value, slow) as AnswerRecord
  t.same([n, part, all.length], [2, null, body.length])

  lanes.answer({ ...answer, n: 3, body: Buffer.alloc(recordBytesMax) }, true, () => dones++)
  await until('the last', () => dones === 3)
  t.match(decodeInbox(data.read(inboxTopic, 1, 5)[0]!.value, slow), {
    n: 3,
    part: null,
    error: { code: errors.limitExceeded.code },
  })
})
