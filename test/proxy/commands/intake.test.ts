/**
 * Proves how fast a session may send: its burst at once, its rate in the long run, in order and without an error; what is
 * more waits unread, and whoever goes on is closed. All that costs anything counts, before connect as after.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import type { Faults } from '../../../cluster/faults/faults.ts'
import { createMetrics } from '../../../observability/metrics.ts'
import { disconnects, errors } from '../../../protocol/client/codes.ts'
import type { ClientError } from '../../../protocol/client/codes.ts'
import type { ClientCommand } from '../../../protocol/client/command.ts'
import { Intake, commandChars, floodMs, intakeTickMs, pongBacklogMax } from '../../../proxy/commands/intake.ts'
import { newSession } from '../../../proxy/sessions/session.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import { testEnv } from '../../harness/env.ts'
import { connectionOf } from '../../support/connection.ts'
import { holds } from '../../support/holds.ts'
import { ManualClock } from '../../support/manual-clock.ts'

interface Limits {
  rate: number
  burst: number
  freeSubscribes?: number
}

/** A session whose client sends through a socket that is read as long as the intake reads it. */
class Sending {
  readonly clock = new ManualClock()
  readonly metrics = createMetrics()
  readonly intake: Intake
  readonly session: Session
  readonly #sent: string[] = []
  /** What waits for the client to read it. */
  buffered = 0
  #isRead = true
  readonly done: ClientCommand[] = []
  closed = 0
  readonly refused: { id: number; error: ClientError }[] = []
  readonly faults: Faults
  /** Called after each command. */
  performed: (sending: Sending) => void = () => {}

  constructor({ rate, burst, freeSubscribes = 0 }: Limits, phase: Session['phase'] = 'connected') {
    const env = testEnv({ clock: this.clock, metrics: this.metrics })
    this.faults = env.faults
    this.intake = new Intake(
      env,
      { rate, burst, freeSubscribes, jsonDepthLimit: 64 },
      {
        perform: (_session, command) => {
          this.done.push(command)
          this.performed(this)
        },
        close: (session, { code }) => {
          this.closed = code
          session.phase = 'closed'
          session.intake.messages = []
        },
        refuse: (_session, id, error) => void this.refused.push({ id, error }),
        placeOf: (command) => ('channel' in command ? { channel: command.channel } : {}),
      },
    )
    const buffered = () => this.buffered
    const connection = connectionOf({
      get bufferedBytes() {
        return buffered()
      },
      pause: () => void (this.#isRead = false),
      resume: () => void (this.#isRead = true),
    })
    this.session = newSession({ id: 's', connection, address: '', connectBy: 0, intake: this.intake.begin() })
    this.session.phase = phase
  }

  /** The client sends messages, whether anybody reads them or not. */
  send(...messages: string[]): void {
    this.#sent.push(...messages)
    this.#read()
  }

  /** In steps short enough for whatever the intake does with the socket. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 10) {
      this.clock.advance(Math.min(left, 10))
      this.#read()
    }
  }

  get unread(): number {
    return this.#sent.length
  }

  get isRead(): boolean {
    return this.#isRead
  }

  get ids(): number[] {
    return this.done.map((command) => ('id' in command ? command.id : 0))
  }

  #read(): void {
    while (this.#isRead && this.#sent.length > 0) this.intake.message(this.session, this.#sent.shift()!)
  }
}

const rpc = (id: number): string => `{"id":${id},"rpc":{}}`
const rpcs = (count: number, from = 1): string[] => Array.from({ length: count }, (_, at) => rpc(from + at))
const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1)

void t.test('a burst goes through at once, what is more at the rate, in order', (t) => {
  const cases: [name: string, messages: string[]][] = [
    ['one message each', rpcs(300)],
    ['one message for all', [rpcs(300).join('\n')]],
  ]
  for (const [name, messages] of cases) {
    const sending = new Sending({ rate: 100, burst: 200 })
    sending.send(...messages)
    t.strictSame(sending.ids, upTo(200), name)
    t.equal(sending.isRead, false, 'the socket rests')
    t.ok(sending.unread >= messages.length - 201, 'the rest stays where it is')
    sending.pass(500)
    t.ok(sending.ids.length >= 240 && sending.ids.length <= 250, `${sending.ids.length}`)
    sending.pass(600)
    t.strictSame(sending.ids, upTo(300))
    t.equal(sending.isRead, true)
    t.equal(sending.closed, 0)
  }
  t.end()
})

void t.test('whoever goes on is closed, and nothing of it is left', async (t) => {
  const sending = new Sending({ rate: 100, burst: 200 })
  sending.send(...rpcs(10_000))
  sending.pass(floodMs - intakeTickMs)
  t.equal(sending.closed, 0)
  t.equal((await sending.metrics.sessionsHeld.get()).values[0]?.value, 1)
  sending.pass(2 * intakeTickMs)
  t.equal(sending.closed, disconnects.tooManyRequests.code)
  t.ok(sending.done.length <= 200 + 100 * (floodMs / 1_000) + 10, `${sending.done.length} commands`)
  sending.pass(1_000)
  t.equal((await sending.metrics.sessionsHeld.get()).values[0]?.value, 0)
})

void t.test('whoever makes a break is not', (t) => {
  const sending = new Sending({ rate: 100, burst: 20 })
  for (let round = 0; round < 20; round++) {
    sending.send(...rpcs(100))
    sending.pass(1_500)
  }
  t.equal(sending.closed, 0)
  t.equal(sending.done.length, 2_000)
  t.end()
})

void t.test('a client within its rate is never closed and waits no longer than a look', async (t) => {
  holds(
    t,
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.nat({ max: 9 }), { minLength: 30, maxLength: 60 }),
      (rate, burst, early) => {
        const sending = new Sending({ rate, burst })
        const every = 1_000 / rate
        let id = 0
        let at = 0
        // Each comes up to nine tenths of its time early, and none before its turn in the long run.
        for (const tenths of early) {
          const due = id * every - (tenths / 10) * every
          if (due > at) {
            sending.pass(due - at)
            at = due
          }
          sending.send(rpc(++id))
        }
        sending.pass(every + 2 * intakeTickMs)
        assert.deepEqual([sending.ids.length, sending.closed], [id, 0])
        assert.equal(sending.closed, 0)
      },
    ),
  )
})

void t.test('no more than the burst and the rate, whatever it is made of', async (t) => {
  const message = fc.oneof(
    fc.constantFrom('', '\n', ' \r\n\t ', '\n'.repeat(20_000)),
    fc.integer({ min: 1, max: 40 }).map((count) => `${rpcs(count).join('\n\n')}\n`),
    fc.nat({ max: 60_000 }).map((length) => `{"id":1,"rpc":{"data":"${'x'.repeat(length)}"}}`),
  )
  const burst = 50
  const rate = 100
  holds(
    t,
    fc.property(
      fc.array(message, { maxLength: 120, size: 'max' }),
      fc.constantFrom('new' as const, 'connected' as const),
      (messages, phase) => {
        const sending = new Sending({ rate, burst }, phase)
        let taken = 0
        const before = sending.intake.message.bind(sending.intake)
        sending.intake.message = (session, text) => {
          taken += Math.max(1, text.length / commandChars)
          before(session, text)
        }
        sending.send(...messages)
        const longest = 60_000 / commandChars + 1
        assert.ok(taken <= burst + 2 * longest, `${taken} at once`)
        sending.pass(1_000)
        assert.ok(taken <= burst + 2 * longest + rate * 1.1, `${taken} in a second`)
        assert.ok(sending.done.length <= burst + rate * 1.1)
      },
    ),
  )
})

void t.test('control frames count, and who sends too many gets no answer', (t) => {
  const sending = new Sending({ rate: 10, burst: 20 }, 'new')
  const answered = Array.from({ length: 5_000 }, () => sending.intake.control(sending.session)).filter(Boolean).length
  t.equal(answered, 20)
  t.equal(sending.isRead, false)
  sending.pass(2_500)
  t.equal(sending.isRead, true, 'however many came together')
  for (let ms = 0; ms < floodMs + 2_500 && sending.closed === 0; ms += 10) {
    while (sending.isRead && sending.closed === 0) sending.intake.control(sending.session)
    sending.pass(10)
  }
  t.equal(sending.closed, disconnects.tooManyRequests.code)
  t.end()
})

void t.test('who pings and does not read gets no answers either', (t) => {
  const sending = new Sending({ rate: 10, burst: 20 })
  sending.buffered = pongBacklogMax
  t.equal(sending.intake.control(sending.session), true)
  sending.buffered = pongBacklogMax + 1
  t.equal(sending.intake.control(sending.session), false)
  t.equal(sending.closed, 0)
  t.end()
})

void t.test('after the close a goodbye is read, and little else', (t) => {
  const sending = new Sending({ rate: 10, burst: 20 })
  sending.send('{')
  t.equal(sending.closed, disconnects.badRequest.code)
  sending.send(...rpcs(1_000))
  t.equal(sending.done.length, 0)
  t.ok(sending.unread > 900, `${sending.unread} are not even read`)
  t.end()
})

void t.test('subscribes with which a client comes back are no flood', (t) => {
  const subscribes = Array.from({ length: 700 }, (_, at) => `{"id":${at + 2},"subscribe":{"channel":"c${at}"}}`)
  for (const messages of [[subscribes.join('\n')], subscribes]) {
    const sending = new Sending({ rate: 100, burst: 20, freeSubscribes: 600 })
    sending.send(...messages)
    t.equal(sending.done.length, 620, 'so many, and those of the burst')
    sending.pass(1_000)
    t.equal(sending.done.length, 700)
    t.equal(sending.closed, 0)
    sending.send(...subscribes)
    t.ok(sending.done.length <= 725, 'once for each session')
  }
  const mixed = new Sending({ rate: 10, burst: 20, freeSubscribes: 600 })
  mixed.send(...rpcs(30), ...subscribes)
  t.equal(mixed.done.length, 20, 'none overtakes a command that waits')
  mixed.pass(1_000)
  t.ok(mixed.done.length <= 31, 'and who floods has none')
  const long = new Sending({ rate: 10, burst: 20, freeSubscribes: 600 })
  long.send(...Array.from({ length: 100 }, () => `{"id":1,"subscribe":{"channel":"c","data":"${'x'.repeat(60_000)}"}}`))
  t.ok(long.done.length <= 3, 'what is long counts all the same')
  t.end()
})

void t.test('a session that is refused has nothing done of what it sent along', (t) => {
  const refused = new Sending({ rate: 100, burst: 200 }, 'new')
  refused.performed = ({ session, intake }) => {
    session.phase = 'refused'
    intake.drop(session)
  }
  refused.send(rpcs(3).join('\n'))
  refused.pass(100)
  t.strictSame(refused.ids, [1])
  t.equal(refused.isRead, true)
  t.end()
})

void t.test('a command that a fault delays holds what follows it, and its client is not read meanwhile', (t) => {
  const sending = new Sending({ rate: 100, burst: 200 })
  const second = { percentage: 100, fixedDelay: floodMs + 1_000 }
  sending.faults.set([
    { name: 'slow', stage: 'proxy.onFrame', match: { namespace: { exact: 'slow' } }, delay: second, seed: 1 },
  ])
  const inSlow = '{"id":2,"publish":{"channel":"slow:room","data":1}}'
  sending.send('{"id":1,"rpc":{"method":"m"}}', inSlow, '{"id":3,"rpc":{"method":"m"}}')
  t.strictSame(sending.ids, [1])
  t.equal(sending.isRead, false)
  sending.send(...rpcs(10))
  t.equal(sending.unread, 11, 'what comes meanwhile stays where it is')
  sending.pass(second.fixedDelay - 10)
  t.strictSame(sending.ids, [1])
  sending.pass(20)
  t.strictSame(sending.ids.slice(0, 3), [1, 2, 3])
  t.equal(sending.closed, 0, 'whoever is delayed sends no more than it may')
  t.equal(sending.isRead, true)
  t.end()
})

void t.test('a command that a fault aborts is not performed: it gets an error, or the connection ends', (t) => {
  const sending = new Sending({ rate: 100, burst: 200 })
  const rule = { name: 'f', stage: 'proxy.onFrame' as const, seed: 1 }
  sending.faults.set([{ ...rule, abort: { percentage: 100 } }])
  sending.send('{"id":1,"rpc":{"method":"m"}}', '{}')
  t.strictSame(sending.refused, [{ id: 1, error: { ...errors.tooManyRequests, message: 'fault f' } }])
  t.strictSame(
    sending.done.map(({ method }) => method),
    ['pong'],
    'a pong is let through',
  )
  sending.faults.set([{ ...rule, abort: { percentage: 100, code: 1_500 } }])
  sending.send('{"id":2,"rpc":{"method":"m"}}')
  t.strictSame(sending.refused[1], { id: 2, error: { code: 1_500, message: 'fault f' } })
  sending.faults.set([{ ...rule, abort: { percentage: 100, wsCloseCode: 4_100 } }])
  sending.send('{"id":3,"rpc":{"method":"m"}}')
  t.equal(sending.closed, 4_100)
  t.end()
})
