/**
 * Proves the questions with which a proxy compares its channels to their slots: they have answers that fit, they say when
 * they were asked, and a slot that does not answer is left alone for a while.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { topsAnswerBytesMax } from '../../../protocol/records/sizes.ts'
import { PositionCheck, checksUnanswered, questionsFor, topsMax } from '../../../proxy/channels/position-check.ts'
import { holds } from '../../support/holds.ts'
import { ManualClock } from '../../support/manual-clock.ts'

void t.test('questions for tops have answers that fit, whatever the names are', async (t) => {
  const name = fc.string({ unit: 'binary', maxLength: 255 })
  holds(
    t,
    fc.property(fc.array(name, { maxLength: 40 }), fc.integer({ min: 1, max: 100 }), (some, times) => {
      const names = Array.from({ length: times }, () => some).flat()
      const questions = questionsFor(names)
      assert.deepEqual(questions.flat(), names)
      for (const question of questions) {
        assert.ok(question.length > 0 || questions.length === 1)
        const answer = JSON.stringify(question.map((name) => [name, 'e'.repeat(8), Number.MAX_SAFE_INTEGER]))
        assert.ok(question.length <= topsMax && Buffer.byteLength(answer) <= topsAnswerBytesMax)
      }
    }),
  )
  t.strictSame(questionsFor([]), [[]], 'one without names shows what was lost')
})

/** A check of one slot, and the questions that went out: when each was asked, and how many channels it named. */
function checking(isSent: () => boolean = () => true) {
  const clock = new ManualClock()
  const asked: { at: number; channels: number }[] = []
  const check = new PositionCheck(clock, (_slot, channels, askedAt) => {
    if (isSent()) asked.push({ at: askedAt, channels: channels.length })
    return isSent()
  })
  const ask = (channels: number) => {
    clock.advance(1_000)
    const names = Array.from({ length: channels }, (_, at) => ({ name: `c${at}` }))
    check.ask(new Map([['default/0', names]]))
    return clock.monotonic()
  }
  return { check, ask, asked }
}

void t.test('a slot is asked at each check, and each question says when', async (t) => {
  const { check, ask, asked } = checking()
  const first = ask(2)
  check.ended('default/0')
  const second = ask(0)
  t.strictSame(asked, [
    { at: first, channels: 2 },
    { at: second, channels: 0 },
  ])
})

void t.test('one that owes an answer is left alone, and asked again after a few checks', async (t) => {
  const { check, ask, asked } = checking()
  for (let checks = 0; checks <= checksUnanswered; checks++) ask(1)
  t.equal(asked.length, 1, 'the first question is open')
  ask(1)
  t.equal(asked.length, 2, 'perhaps the log has lost it')
  ask(1)
  t.equal(asked.length, 2)
  check.ended('default/0')
  ask(1)
  t.equal(asked.length, 2, 'one of two is still open')
  check.ended('default/0')
  ask(1)
  t.equal(asked.length, 3)
})

void t.test('a question that could not go leaves nothing open', async (t) => {
  let isSent = false
  const { ask, asked } = checking(() => isSent)
  ask(1)
  isSent = true
  ask(1)
  t.equal(asked.length, 1)
})
