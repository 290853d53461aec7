// Proves what a session may read: a few reads under way, its burst of bytes at once and its rate in the long run, in
// order; what goes beyond waits, and what waits too long or is one too many is refused. Nobody pays for another.
import t from 'tap'
import { errors } from '../../../protocol/client/codes.ts'
import { ReadGate, readSweepMs, readsMax } from '../../../proxy/commands/read-gate.ts'
import { ReadBudget } from '../../../proxy/sessions/read-budget.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import type { ClientRequest } from '../../../proxy/uplink/request.ts'
import type { Uplink } from '../../../proxy/uplink/uplink.ts'
import { testEnv } from '../../harness/env.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const limits = { rate: 1_000, burst: 4_000 }
const deadlineMs = 4_500

function setUp() {
  const clock = new ManualClock()
  const state = { isFull: false }
  const sent: ClientRequest[] = []
  const sessions = new Map<string, Session>()
  const outcomes: (number | null)[] = []
  const uplink = {
    send: (request: ClientRequest) => (state.isFull ? errors.tooManyRequests : sent.push(request)),
  } as unknown as Uplink
  const gate = new ReadGate(testEnv({ clock }), uplink, new ReadBudget(clock, limits), {
    deadlineMs,
    refused: (_work, { code }) => void outcomes.push(code),
  })
  const read = (session: Session, method = 'history') => {
    sessions.set(session.id, session)
    return gate.send(session, { method, work: { for: 'client', session: session.id } } as ClientRequest) === null
  }
  /** Answers the oldest read that was sent. */
  const answer = (bytes: number) => {
    const { work } = sent.shift()!
    outcomes.push(null)
    gate.ended(sessions.get(work.session)!, bytes)
  }
  return { clock, sent, state, gate, outcomes, read, answer }
}

let count = 0
const newSession = () => ({ id: `s${++count}`, phase: 'connected', reads: null, readBudget: null }) as Session

t.test('one under way, the others in order', async (t) => {
  const { sent, read, answer, outcomes } = setUp()
  const session = newSession()
  for (let n = 0; n < readsMax.underWay + 2; n++) t.ok(read(session, String(n)))
  const under = sent.map(({ method }) => method)
  t.same(under, ['0'])
  t.ok(read(newSession(), 'other'), 'another session')
  t.equal(sent.pop()!.method, 'other', 'waits for nobody')
  answer(1)
  t.equal(sent.at(-1)!.method, '1')
  while (sent.length > 0) answer(1)
  t.equal(outcomes.length, readsMax.underWay + 2)
})

t.test('by bytes', async (t) => {
  const { clock, sent, read, answer, outcomes } = setUp()
  const session = newSession()
  t.ok(read(session))
  answer(limits.burst + 500)
  t.ok(read(session), 'it waits for its budget')
  t.equal(sent.length, 0)
  clock.advance(500)
  t.equal(sent.length, 0, 'what it owes is paid first')
  clock.advance(readSweepMs)
  t.equal(sent.length, 1)
  answer(0)
  t.same(outcomes, [null, null])
  clock.advance(3_600_000)
  t.ok(read(session))
  answer(limits.burst)
  t.ok(read(session))
  t.equal(sent.length, 0, 'a long rest gives no more than the burst')
})

t.test('in the long run at the rate', async (t) => {
  const { clock, sent, read, answer } = setUp()
  const session = newSession()
  let bytes = 0
  const seconds = 100
  for (let ms = 0; ms < seconds * 1_000; ms += 50) {
    read(session)
    while (sent.length > 0) {
      answer(800)
      bytes += 800
    }
    clock.advance(50)
  }
  t.ok(bytes <= seconds * limits.rate + limits.burst + readsMax.underWay * 800, `${bytes} bytes`)
  t.ok(bytes >= seconds * limits.rate, 'and no less')
})

t.test('too many, and too late', async (t) => {
  const { clock, sent, read, answer, outcomes } = setUp()
  const session = newSession()
  read(session)
  answer(1_000_000)
  for (let n = 0; n < readsMax.waiting; n++) t.ok(read(session))
  t.notOk(read(session), 'one too many')
  clock.advance(deadlineMs)
  t.same(
    outcomes,
    [null, ...Array.from({ length: readsMax.waiting }, () => errors.tooManyRequests.code)],
    'each is answered once',
  )
  t.equal(sent.length, 0)
})

t.test('a slot without room, and a session that leaves', async (t) => {
  const { clock, sent, state, read, answer, outcomes } = setUp()
  const session = newSession()
  state.isFull = true
  t.notOk(read(session), 'refused at once')
  state.isFull = false
  for (let n = 0; n < readsMax.underWay + 2; n++) read(session)
  state.isFull = true
  answer(0)
  t.same(outcomes, [null, errors.tooManyRequests.code, errors.tooManyRequests.code], 'refused when its turn comes')
  state.isFull = false
  read(session)
  read(session)
  const left = sent.length
  session.phase = 'closed'
  clock.advance(readSweepMs)
  answer(0)
  t.equal(sent.length, left - 1, 'what it waited for is not read')
})
