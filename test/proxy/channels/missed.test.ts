/** Proves how sessions read what they missed: those that missed the same share one read, and each is charged for it. */
import t from 'tap'
import { errors } from '../../../protocol/client/codes.ts'
import { decodeRequest } from '../../../protocol/records/runtime.ts'
import { isNotThere, pageBytesMax } from '../../../proxy/channels/missed.ts'
import { sessionOf } from '../../support/session.ts'
import { ReadingRig, limit } from './reading-rig.ts'

const [ada, bob, eve] = [sessionOf('ada'), sessionOf('bob'), sessionOf('eve')]

void t.test('one read serves all who missed the same', async (t) => {
  const rig = new ReadingRig()
  t.equal(rig.read(ada, 2, 4), null)
  t.equal(rig.read(bob, 2, 4), null)
  t.equal(rig.read(eve, 3, 4), null)
  t.strictSame(
    rig.sent.map(({ method, payload }) => decodeRequest(method, payload)),
    [2, 3].map((after) => ({ method: 'recover', range: { after, upTo: 4, limit, bytesMax: pageBytesMax } })),
  )
  const { readers, page } = rig.answer()
  t.strictSame(
    readers.map(({ session }) => session.id),
    ['ada', 'bob'],
  )
  t.strictSame(page, { publications: ['{"offset":3}', '{"offset":4}'] })
  rig.read(ada, 2, 4)
  t.equal(rig.sent.length, 2, 'after the answer it is another read')
})

void t.test('each of them is charged for all of it', async (t) => {
  const rig = new ReadingRig()
  for (const session of [ada, bob]) rig.read(session, 2, 4)
  rig.answer({ body: Buffer.from(`"${'x'.repeat(200)}"`) })
  t.notOk(rig.budget.isLeft(ada))
  t.notOk(rig.budget.isLeft(bob))
  t.ok(rig.budget.isLeft(eve))
})

void t.test('a read that is refused leaves nobody waiting', async (t) => {
  const rig = new ReadingRig()
  rig.isFull = true
  t.equal(rig.read(ada, 2, 4), errors.tooManyRequests)
  rig.isFull = false
  rig.read(bob, 2, 4)
  t.strictSame(
    rig.answer().readers.map(({ session }) => session.id),
    ['bob'],
  )
})

void t.test('an error is told to all; two of them say that asking again is of no use', async (t) => {
  const rig = new ReadingRig()
  rig.read(ada, 2, 4)
  t.strictSame(rig.answer({ error: errors.internal }).page, { error: errors.internal })
  t.strictSame([errors.unrecoverablePosition, errors.limitExceeded, errors.internal].map(isNotThere), [
    true,
    true,
    false,
  ])
})
