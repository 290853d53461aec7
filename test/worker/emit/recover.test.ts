/**
 * Proves what a slot answers to a recovery: pages for a proxy that takes them, all or nothing for one of the version before,
 * and never a part of what is not all there.
 */
import t from 'tap'
import { CommandRefused } from '../../../protocol/app/errors.ts'
import { errors } from '../../../protocol/client/codes.ts'
import type { RecoverRange } from '../../../protocol/records/runtime.ts'
import { answerBytesMax } from '../../../protocol/records/sizes.ts'
import type { Message } from '../../../store/store.ts'
import { answerRecover, recoverQuery } from '../../../worker/emit/recover.ts'

const hour = 3_600_000
const now = 10 * hour
const stream = { epoch: 'e', top: 10, lastTime: now }

/** The query of a range in a history of eight messages and an hour. */
const queryOf = (range: RecoverRange) =>
  recoverQuery({ channel: 'room', time: now, history: { size: 8, ttlMs: hour } }, stream, range)

const messageAt = (offset: number): Message => ({
  channel: 'room',
  offset,
  id: String(offset),
  kind: 'message',
  user: '',
  data: Buffer.from('1'),
  info: null,
  tags: null,
  time: now,
  idem: null,
})

const messages = (after: number, upTo: number): Message[] =>
  Array.from({ length: upTo - after }, (_, i) => messageAt(after + 1 + i))

/** Offsets in the answer, or the code of the error. */
function answered(range: RecoverRange, found: Message[]): number[] | number {
  const answer = answerRecover(range, found)
  if ('error' in answer) return answer.error.code
  return (JSON.parse(`[${answer.body}]`) as { offset: number }[]).map(({ offset }) => offset)
}

void t.test('pages', async (t) => {
  const params = { after: 4, upTo: 10, limit: 6, bytesMax: 1_000 }
  t.match(queryOf(params), { after: 4, before: 11, limit: 6, since: now - hour, bytesMax: 1_000 })
  t.match(queryOf({ ...params, bytesMax: 1e9 }), { bytesMax: answerBytesMax })
  t.strictSame(answered(params, messages(4, 7)), [5, 6, 7], 'as much as a page holds')
  t.strictSame(answered(params, messages(4, 10)), [5, 6, 7, 8, 9, 10])
  t.strictSame(
    answered(params, messages(5, 10)),
    errors.unrecoverablePosition.code,
    'the first one is too old, or gone',
  )
  t.strictSame(answered(params, []), errors.unrecoverablePosition.code)
})

void t.test('a proxy of the version before takes all or nothing', async (t) => {
  const params = { after: 4, upTo: 10, limit: 6 }
  t.match(queryOf(params), { after: 4, before: 11, bytesMax: answerBytesMax })
  t.strictSame(answered(params, messages(4, 10)), [5, 6, 7, 8, 9, 10])
  t.strictSame(answered(params, messages(4, 7)), errors.unrecoverablePosition.code)
})

void t.test('what is not in history, over the limit or yet to come is not looked for', async (t) => {
  const refused = { 'below the window': [1, 10], 'over the limit': [2, 10], 'yet to come': [9, 11] } as const
  for (const [what, [after, upTo]] of Object.entries(refused)) {
    t.throws(() => queryOf({ after, upTo, limit: 7, bytesMax: 1_000 }), CommandRefused, what)
  }
  const beyond = { after: Number.MAX_SAFE_INTEGER - 1, upTo: Number.MAX_SAFE_INTEGER, limit: 7 }
  t.throws(() => queryOf(beyond), CommandRefused)
})
