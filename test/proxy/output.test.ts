/**
 * Proves how output reaches sessions: everything of one turn in one frame, the same bytes for all who get the same, in
 * order when an audience changes or a slow session is closed on the way; and that output rests after long writes only.
 */
import t from 'tap'
import type { Test } from 'tap'
import { createMetrics } from '../../observability/metrics.ts'
import type { Env } from '../../platform/env.ts'
import { Output, restMsMax, restShare } from '../../proxy/output.ts'
import type { Audience } from '../../proxy/output.ts'
import { newIntake } from '../../proxy/intake.ts'
import { newSession } from '../../proxy/session.ts'
import type { Session } from '../../proxy/session.ts'

const queueMaxBytes = 100

/** Time that passes only when something is written, and what is to run later. */
class Rig {
  nowMs = 0
  writeMs = 0
  later: { atMs: number; run: () => void }[] = []
  readonly closed: string[] = []
  readonly frames = new Map<string, Buffer[]>()
  readonly buffered = new Map<string, number>()
  readonly output: Output

  constructor() {
    const clock = {
      monotonic: () => this.nowMs,
      after: (ms: number, run: () => void) => {
        this.later.push({ atMs: this.nowMs + ms, run })
        return { cancel: () => {} }
      },
    }
    const env = { clock, metrics: createMetrics() } as unknown as Env
    this.output = new Output(env, queueMaxBytes, (session) => {
      this.closed.push(session.id)
      session.phase = 'closed'
    })
  }

  session(id: string, channels = ['room']): Session {
    const frames: Buffer[] = []
    this.frames.set(id, frames)
    const buffered = () => this.buffered.get(id) ?? 0
    const socket = {
      write: (frame: Buffer) => {
        frames.push(frame)
        this.nowMs += this.writeMs
      },
      get bufferedBytes() {
        return buffered()
      },
      pause: () => {},
      resume: () => {},
      close: () => {},
      terminate: () => {},
    }
    const session = newSession({ id, socket, address: '', connectBy: 0, intake: newIntake(0, 0, 0) })
    session.phase = 'connected'
    session.channels = new Set(channels)
    return session
  }

  texts(id: string): string[] {
    return this.frames.get(id)!.map((frame) => frame.toString('utf8', 2))
  }
}

const audienceOf = (...sessions: Session[]): Audience => ({ sessions: new Set(sessions), pieces: [] })
const turn = () => new Promise((resolve) => setImmediate(resolve))

void t.test('who gets the same gets the very same bytes, once; who gets more gets it in one frame', async (t) => {
  const rig = new Rig()
  const [a, b, c] = [rig.session('a'), rig.session('b'), rig.session('c')]
  const room = audienceOf(a, b, c)
  rig.output.publish(room, 'one')
  rig.output.send(c, 'ack')
  rig.output.publish(room, 'two')
  await turn()
  t.same(
    ['a', 'b', 'c'].map((id) => rig.texts(id)),
    [['one\ntwo'], ['one\ntwo'], ['ack\none\ntwo']],
  )
  t.equal(rig.frames.get('a')![0], rig.frames.get('b')![0], 'one buffer')
})

void t.test('several rooms in one turn: a session in two of them gets one frame', async (t) => {
  const rig = new Rig()
  const [a, b, both] = [rig.session('a', ['x']), rig.session('b', ['y']), rig.session('both', ['x', 'y'])]
  rig.output.publish(audienceOf(a, both), 'from x')
  rig.output.publish(audienceOf(b, both), 'from y')
  await turn()
  t.same(
    ['a', 'b', 'both'].map((id) => rig.texts(id)),
    [['from x'], ['from y'], ['from x\nfrom y']],
  )
})

void t.test('who comes after a publication does not get it', async (t) => {
  const rig = new Rig()
  const [a, b] = [rig.session('a'), rig.session('b')]
  const sessions = new Set([a])
  const room = { sessions, pieces: [] }
  rig.output.publish(room, 'before')
  rig.output.settle(room)
  sessions.add(b)
  rig.output.publish(room, 'after')
  await turn()
  t.same(rig.texts('a').join('\n'), 'before\nafter')
  t.same(rig.texts('b'), ['after'])
})

void t.test('a slow session is closed and keeps nothing from the others', async (t) => {
  const rig = new Rig()
  const [a, slow, b] = [rig.session('a'), rig.session('slow'), rig.session('b')]
  rig.buffered.set('slow', queueMaxBytes + 1)
  rig.output.publish(audienceOf(a, slow, b), 'hello')
  await turn()
  t.same(rig.closed, ['slow'])
  t.same([rig.texts('a'), rig.texts('b')], [['hello'], ['hello']])
})

/** Writes for `sessions` × `writeMs`, then publishes twice; returns how long these two wait. */
async function restAfter(t: Test, sessions: number, writeMs: number): Promise<number> {
  const rig = new Rig()
  rig.writeMs = writeMs
  const all = Array.from({ length: sessions }, (_, index) => rig.session(`s${index}`))
  const room = audienceOf(...all)
  rig.output.publish(room, 'first')
  await turn()
  t.same(rig.texts('s0'), ['first'], 'what comes after a pause goes at once')
  rig.output.publish(room, 'second')
  await turn()
  rig.output.publish(room, 'third')
  await turn()
  const [rest] = rig.later
  if (!rest) {
    t.same(rig.texts('s0'), ['first', 'second', 'third'])
    return 0
  }
  t.equal(rig.later.length, 1)
  t.same(rig.texts('s0'), ['first'])
  const restMs = rest.atMs - rig.nowMs
  rest.run()
  for (const { id } of all) t.same(rig.texts(id), ['first', 'second\nthird'])
  return restMs
}

void t.test('what is measured is measured when it is written, however long output rests before', async (t) => {
  const rig = new Rig()
  rig.writeMs = 4
  const room = audienceOf(rig.session('a'))
  const writtenAt: number[] = []
  const publish = (text: string): void => {
    rig.output.publish(room, text)
    rig.output.whenWritten(() => writtenAt.push(rig.nowMs))
  }
  publish('first')
  t.same(writtenAt, [], 'nothing is before the turn ends')
  await turn()
  t.same(writtenAt, [4])
  publish('second')
  await turn()
  t.same(writtenAt, [4], 'nor while output rests')
  const [rest] = rig.later
  rig.nowMs = rest!.atMs
  rest!.run()
  t.same(writtenAt, [4, 4 + 4 * restShare + 4])
  rig.output.whenWritten(() => writtenAt.push(0))
  t.equal(writtenAt.at(-1), 0, 'at once when nothing waits')
})

void t.test('after long writes output rests, and what comes meanwhile shares a write', async (t) => {
  t.equal(await restAfter(t, 4, 2), 4 * 2 * restShare)
  t.equal(await restAfter(t, 100, 10), restMsMax, 'never for long')
  t.equal(await restAfter(t, 4, 0.05), 0, 'few sessions take no time, and wait for none')
})
