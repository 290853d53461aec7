/**
 * Proves that an answer in parts comes out as it was, whatever other answers to the same question come between (a read
 * that was asked again, another worker that answered it too), and that what stays without its end makes none.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { AnswerParts, cutAnswer } from '../../../protocol/records/answer-parts.ts'
import { encodeAnswer } from '../../../protocol/records/answer.ts'
import type { AnswerRecord } from '../../../protocol/records/answer.ts'
import { decodeInbox } from '../../../protocol/records/inbox.ts'
import { answerPartBytesMax } from '../../../protocol/records/sizes.ts'
import { holds } from '../../support/holds.ts'

const base = { type: 'answer' as const, slot: 'default/0' as const, to: 'p-1', version: 'v', error: null, part: null }
const answerOf = (n: number, worker: string, body: Buffer): AnswerRecord => ({ ...base, n, worker, body })

/** What goes through the log comes back as it was. */
const read = (record: AnswerRecord) => decodeInbox(encodeAnswer(record), 'p-1') as AnswerRecord

interface Attempt {
  worker: string
  n: number
  body: Buffer
  /** Parts that reach the log before the worker dies, of all. */
  share: number
}

const attempt: fc.Arbitrary<Attempt> = fc.record({
  worker: fc.constantFrom('w-1', 'w-2', 'w-3'),
  n: fc.constantFrom(1, 2),
  body: fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  share: fc.constantFrom(0, 0.5, 0.9, 1),
})

t.test('the first that is whole is one of the answers, and all but the interrupted come out', async (t) => {
  holds(
    t,
    fc.property(
      // A worker answers a number once.
      fc.uniqueArray(attempt, { minLength: 1, maxLength: 4, selector: ({ worker, n }) => `${worker} ${n}` }),
      fc.integer({ min: 1, max: 12 }),
      fc.infiniteStream(fc.nat()),
      (attempts, bytesMax, order) => {
        const queues = attempts.map(({ worker, n, body, share }) => {
          const parts = cutAnswer(answerOf(n, worker, body), bytesMax)
          return parts.slice(0, Math.floor(parts.length * share)).map(read)
        })
        const parts = new AnswerParts()
        while (queues.some((queue) => queue.length > 0)) {
          const open = queues.filter((queue) => queue.length > 0)
          const record = open[order.next().value % open.length]!.shift()!
          const whole = parts.add(record)
          if (!whole) continue
          const of = attempts.find(({ worker, n }) => worker === record.worker && n === record.n)!
          assert.deepEqual(whole, answerOf(of.n, of.worker, of.body))
        }
      },
    ),
  )
  holds(
    t,
    fc.property(attempt, fc.integer({ min: 1, max: 12 }), attempt, ({ worker, n, body }, bytesMax, dead) => {
      const parts = new AnswerParts()
      const cut = cutAnswer(answerOf(3, 'w-9', dead.body), bytesMax)
      for (const record of cut.slice(0, -1)) assert.equal(parts.add(read(record)), null)
      const whole = cutAnswer(answerOf(n, worker, body), bytesMax).map((record) => parts.add(read(record)))
      assert.deepEqual(whole.at(-1), answerOf(n, worker, body))
      assert.ok(whole.slice(0, -1).every((each) => each === null))
    }),
  )
})

t.test('what is small goes whole, as ever', (t) => {
  const small = answerOf(1, 'w', Buffer.alloc(answerPartBytesMax))
  t.strictSame(cutAnswer(small), [small])
  t.equal(cutAnswer({ ...small, body: Buffer.alloc(answerPartBytesMax + 1) }).length, 2)
  t.notMatch(encodeAnswer(small).toString('latin1'), /"part"/, 'a proxy of the version before reads it')
  t.end()
})
