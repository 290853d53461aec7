/** Proves that a session which joins many channels reads what it missed a few at a time, and as long as it may read. */
import t from 'tap'
import { FirstReads, firstReadsMax } from '../../../proxy/channels/first-reads.ts'
import { sessionOf } from '../../support/session.ts'
import { ReadingRig, history, limit } from './reading-rig.ts'

/** First reads of one session: those of channels in `unwanted` nobody wants any more. */
function firstReads(rig: ReadingRig, unwanted: Set<string> = new Set()) {
  const session = sessionOf('reader')
  const refused: string[] = []
  const reads = new FirstReads(rig.missed, rig.budget, {
    recoveryLimit: limit,
    isWanted: (_session, { channel }) => !unwanted.has(channel),
    refused: (_session, { channel }) => void refused.push(channel),
  })
  const add = (channel: string) => reads.add(session, { channel, after: 0, upTo: 1, history })
  const asked = () => rig.sent.map(({ channel }) => channel)
  return { session, reads, refused, add, asked }
}

const names = Array.from({ length: firstReadsMax + 2 }, (_, at) => `c${at}`)

void t.test('a session has a few first reads under way, and the next when one has ended', async (t) => {
  const { session, reads, add, asked } = firstReads(new ReadingRig())
  for (const name of names) add(name)
  t.strictSame(asked(), names.slice(0, firstReadsMax))
  reads.ended(session)
  t.strictSame(asked(), names.slice(0, firstReadsMax + 1))
})

void t.test('what nobody wants any more is passed over, and what is refused is told', async (t) => {
  const rig = new ReadingRig()
  const { reads, refused, add, asked, session } = firstReads(rig, new Set(['c8']))
  for (const name of names) add(name)
  reads.ended(session)
  t.strictSame(asked(), [...names.slice(0, firstReadsMax), 'c9'])
  rig.isFull = true
  reads.ended(session)
  add('late')
  t.strictSame(refused, ['late'])
})

void t.test('who has read more than its burst goes on when it may', async (t) => {
  const rig = new ReadingRig()
  const { session, reads, add, asked } = firstReads(rig)
  rig.budget.take(session, 150)
  add('c0')
  reads.sweep()
  t.strictSame(asked(), [])
  rig.clock.advance(1_000)
  reads.sweep()
  t.strictSame(asked(), ['c0'])
})
