/**
 * Proves how output reaches sessions: everything of one turn in one frame, the same bytes for all who get the same, in
 * order when an audience changes or a session is let behind or closed on the way; that a connection is given more only as
 * it takes it, that slow is who takes nothing, and that output rests after long writes only.
 */
import t from 'tap'
import type { Test } from 'tap'
import type { Faults } from '../../../cluster/faults/faults.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { ServerMessage } from '../../../protocol/client/message.ts'
import { socketBytesMax } from '../../../proxy/sessions/backlog.ts'
import { Output, overshootBytesMax, restMsMax, restShare } from '../../../proxy/sessions/output.ts'
import type { Audience } from '../../../proxy/sessions/output.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import type { Transport } from '../../../proxy/transports/transport.ts'
import { jsonOverWebSocket } from '../../../proxy/transports/websocket/json-over-websocket.ts'
import { testEnv } from '../../harness/env.ts'
import { connectionOf } from '../../support/connection.ts'
import { sessionOf } from '../../support/session.ts'

const queueMaxBytes = 200_000
const stallMs = 1_000

/** Messages that are nothing but a text, here as on the wire. */
const messageOf = (text: string): ServerMessage => ({ kind: 'publication', channel: 'room', publication: text })
const plain: Transport = {
  ...jsonOverWebSocket,
  encode: (message) => (message.kind === 'publication' ? message.publication : jsonOverWebSocket.encode(message)),
}

/** Time that passes only when something is written, and what is to run later. */
class Rig {
  nowMs = 0
  writeMs = 0
  later: { atMs: number; run: () => void }[] = []
  readonly closed: string[] = []
  /** Times that room was found for a session that wanted it. */
  hasRoom = 0
  readonly letBehind: { id: string; room: string; waits: number }[] = []
  readonly frames = new Map<string, Buffer[]>()
  readonly buffered = new Map<string, number>()
  readonly output: Output
  readonly faults: Faults

  constructor() {
    const clock = {
      monotonic: () => this.nowMs,
      after: (ms: number, run: () => void) => {
        this.later.push({ atMs: this.nowMs + ms, run })
        return { cancel: () => {} }
      },
    }
    const env = testEnv({ clock: clock as Clock })
    this.faults = env.faults
    this.output = new Output(env, {
      placeOf: (channel) => ({ channel }),
      queueMaxBytes,
      stallMs,
      close: (session) => {
        this.closed.push(session.id)
        session.phase = 'closed'
        this.output.forget(session)
      },
      overflowed: ({ id }, room, waits) => void this.letBehind.push({ id, room, waits }),
      room: () => void this.hasRoom++,
    })
  }

  session(id: string, channels = ['room']): Session {
    const frames: Buffer[] = []
    this.frames.set(id, frames)
    const buffered = () => this.buffered.get(id) ?? 0
    const connection = connectionOf({
      transport: plain,
      write: (frame) => {
        frames.push(frame)
        this.nowMs += this.writeMs
      },
      get bufferedBytes() {
        return buffered()
      },
    })
    const session = sessionOf(id, connection)
    session.phase = 'connected'
    session.channels = new Set(channels)
    return session
  }

  publish(audience: Audience, text: string): void {
    this.output.publish(audience, messageOf(text), Buffer.byteLength(text))
  }

  send(session: Session, text: string): void {
    this.output.send(session, messageOf(text))
  }

  /** Runs what is to run later, as if its time had come. */
  look(): void {
    for (const { run } of this.later.splice(0)) run()
  }

  texts(id: string): string[] {
    return this.frames.get(id)!.map((frame) => frame.toString('utf8', frame[1]! < 126 ? 2 : 4))
  }
}

const audienceOf = (...sessions: Session[]): Audience => ({
  name: 'room',
  sessions: new Set(sessions),
  gathered: [],
  gatheredBytes: 0,
})
const turn = () => new Promise((resolve) => setImmediate(resolve))

void t.test('who gets the same gets the very same bytes, once; who gets more gets it in one frame', async (t) => {
  const rig = new Rig()
  const [a, b, c] = [rig.session('a'), rig.session('b'), rig.session('c')]
  const room = audienceOf(a, b, c)
  rig.publish(room, 'one')
  rig.send(c, 'ack')
  rig.publish(room, 'two')
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
  rig.publish(audienceOf(a, both), 'from x')
  rig.publish(audienceOf(b, both), 'from y')
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
  const room = { name: 'room', sessions, gathered: [], gatheredBytes: 0 }
  rig.publish(room, 'before')
  rig.output.settle(room)
  sessions.add(b)
  rig.publish(room, 'after')
  await turn()
  t.same(rig.texts('a').join('\n'), 'before\nafter')
  t.same(rig.texts('b'), ['after'])
})

/** A client whose connection takes `bytes` of what its socket holds, each time it is asked to. */
class SlowClient {
  readonly session: Session
  readonly #rig: Rig
  #taken = 0

  constructor(rig: Rig, id = 'slow') {
    this.#rig = rig
    this.session = rig.session(id)
    rig.buffered.set(id, 0)
    const frames = rig.frames.get(id)!
    Object.defineProperty(this.session.connection, 'bufferedBytes', {
      get: () => frames.reduce((sum, { length }) => sum + length, 0) - this.#taken,
    })
  }

  take(bytes: number): void {
    this.#taken += Math.min(bytes, this.session.connection.bufferedBytes)
    this.#rig.look()
  }

  /** Messages so far, those in parts put together. */
  get messages(): string[] {
    const messages: string[] = []
    for (const frame of this.#rig.frames.get(this.session.id)!) {
      const header = frame[1]! < 126 ? 2 : frame[1] === 126 ? 4 : 10
      const text = frame.toString('utf8', header)
      if ((frame[0]! & 0x0f) === 1) messages.push(text)
      else messages.push(messages.pop()! + text)
    }
    return messages
  }
}

void t.test('a connection is given more as it takes it', async (t) => {
  const rig = new Rig()
  const slow = new SlowClient(rig)
  const { connection } = slow.session
  const answer = 'a'.repeat(190_000)
  rig.send(slow.session, answer)
  await turn()
  t.ok(connection.bufferedBytes < 2 * socketBytesMax + 100, `the socket holds ${connection.bufferedBytes}`)
  for (const text of ['one', 'two']) {
    rig.send(slow.session, text)
    await turn()
  }
  rig.output.wantRoom(slow.session)
  for (let i = 0; i < 10; i++) {
    t.equal(rig.hasRoom, connection.bufferedBytes < socketBytesMax && slow.messages.length === 2 ? 1 : 0)
    slow.take(30_000)
    t.ok(connection.bufferedBytes < 2 * socketBytesMax + 100)
  }
  t.strictSame(slow.messages, [answer, 'one\ntwo'], 'in order, and what waited shares a frame')
  t.equal(rig.hasRoom, 1)
  t.strictSame([rig.closed, rig.letBehind], [[], []], 'being given much is not being slow')
  t.equal(rig.later.length, 0, 'nobody looks any more')
  rig.output.wantRoom(slow.session)
  t.equal(rig.hasRoom, 1, 'where there is room already, not before the turn ends')
  await turn()
  t.equal(rig.hasRoom, 2)
})

void t.test('one who is given more than may wait is let behind, and nobody else notices', async (t) => {
  const rig = new Rig()
  const [a, slow, b] = [rig.session('a'), new SlowClient(rig), rig.session('b')]
  const room = audienceOf(a, slow.session, b)
  const sent: string[] = []
  const publish = async (text: string): Promise<void> => {
    sent.push(text)
    rig.publish(room, text)
    await turn()
  }
  while (rig.letBehind.length === 0 && sent.length < 100) await publish(`${sent.length}`.padEnd(30_000, '.'))
  t.strictSame(rig.letBehind, [{ id: 'slow', room: 'room', waits: 1 }])
  ;(room.sessions as Set<Session>).delete(slow.session)
  await publish('more')
  for (let i = 0; i < 20; i++) slow.take(30_000)
  t.strictSame(slow.messages.join('\n').split('\n'), sent.slice(0, -2), 'it has all that was before')
  t.same([rig.texts('a').length, rig.texts('b').length], [sent.length, sent.length])
  t.strictSame(rig.closed, [])
})

void t.test('slow is who takes nothing while more waits than may', async (t) => {
  const rig = new Rig()
  const [slow, dead, idle] = [new SlowClient(rig), new SlowClient(rig, 'dead'), new SlowClient(rig, 'idle')]
  for (const { session } of [slow, dead]) rig.send(session, 'a'.repeat(400_000))
  rig.send(idle.session, 'a'.repeat(100_000))
  await turn()
  for (let i = 0; i < 8; i++) {
    rig.nowMs += stallMs / 2
    slow.take(20_000)
    t.strictSame(rig.closed, i < 1 ? [] : ['dead'], `after ${rig.nowMs} ms`)
  }
})

void t.test('however small what is never held back, there is an end to it', async (t) => {
  const rig = new Rig()
  const dead = new SlowClient(rig)
  rig.send(dead.session, 'a'.repeat(900_000))
  await turn()
  const reply = 'a'.repeat(1_000)
  let sent = 0
  for (; rig.closed.length === 0 && sent < 1_000; sent++) {
    rig.send(dead.session, reply)
    await turn()
  }
  t.ok(sent > 100 && queueMaxBytes + overshootBytesMax - 900_000 - sent * 1_001 < 1_001, `closed after ${sent}`)
})

/** Writes for `sessions` × `writeMs`, then publishes twice; returns how long these two wait. */
async function restAfter(t: Test, sessions: number, writeMs: number): Promise<number> {
  const rig = new Rig()
  rig.writeMs = writeMs
  const all = Array.from({ length: sessions }, (_, index) => rig.session(`s${index}`))
  const room = audienceOf(...all)
  rig.publish(room, 'first')
  await turn()
  t.same(rig.texts('s0'), ['first'], 'what comes after a pause goes at once')
  rig.publish(room, 'second')
  await turn()
  rig.publish(room, 'third')
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
    rig.publish(room, text)
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

t.test('a message that a fault delays holds what follows it, for that session alone', async (t) => {
  const rig = new Rig()
  const [ada, bob] = [rig.session('ada'), rig.session('bob')]
  ada.user = 'ada'
  const delay = { percentage: 100, fixedDelay: 500 }
  rig.faults.set([{ name: 'f', stage: 'proxy.onSend', match: { user: { exact: 'ada' } }, delay, seed: 1 }])
  const room = audienceOf(ada, bob)
  rig.publish(room, '"1"')
  await turn()
  rig.faults.set([])
  rig.publish(room, '"2"')
  await turn()
  rig.send(ada, '"3"')
  await turn()
  rig.output.ping(ada)
  await turn()
  t.same(rig.texts('ada'), [])
  t.same(rig.texts('bob'), ['"1"', '"2"'])
  rig.nowMs += 499
  rig.look()
  t.same(rig.texts('ada'), [])
  rig.nowMs += 1
  rig.look()
  t.same(rig.texts('ada'), ['"1"\n"2"\n"3"\n{}'])
  rig.publish(room, '"4"')
  await turn()
  t.same(rig.texts('ada').at(-1), '"4"', 'then it is as it was')
})

t.test('a message that a fault aborts ends its connection', async (t) => {
  const rig = new Rig()
  const [ada, bob] = [rig.session('ada'), rig.session('bob')]
  ada.user = 'ada'
  const abort = { percentage: 100, wsCloseCode: 4_100 }
  rig.faults.set([{ name: 'f', stage: 'proxy.onSend', match: { user: { exact: 'ada' } }, abort, seed: 1 }])
  rig.publish(audienceOf(ada, bob), '"1"')
  await turn()
  t.same(rig.closed, ['ada'])
  t.same(rig.texts('bob'), ['"1"'])
})
