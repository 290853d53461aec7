/**
 * Proves the way of commands into the log: numbers rise, a command is told once what it came to, an answer shows which
 * others are lost, a read is asked again and a write is not, and no more is in flight than may be.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { clusterTopics } from '../../../cluster/topics.ts'
import { LogError } from '../../../log/errors.ts'
import { MemoryLog, MemoryLogData } from '../../../log/memory/memory-log.ts'
import { errors } from '../../../protocol/client/codes.ts'
import type { AnswerRecord } from '../../../protocol/records/answer.ts'
import { decodeCommand, ofNobody } from '../../../protocol/records/command.ts'
import { commandBytesMax } from '../../../protocol/records/sizes.ts'
import { commandTopic, defaultGroup } from '../../../protocol/records/topics.ts'
import type { Outcome, Request } from '../../../proxy/uplink/request.ts'
import { readRetryMs } from '../../../proxy/uplink/slot-uplink.ts'
import { Uplink, deadlineSweepMs } from '../../../proxy/uplink/uplink.ts'
import { testEnv } from '../../harness/env.ts'
import { testConfig } from '../../harness/settings.ts'
import { Gate } from '../../support/gate.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/until.ts'

const commands = commandTopic(defaultGroup)
const replyDeadlineMs = 8_000
const done: Outcome = { error: null, body: Buffer.from('{}'), version: 'v' }

/** An uplink of one slot, whose log a gate can hold back. What commands come to is noted under their names. */
class Rig implements Disposable {
  readonly clock = new ManualClock()
  readonly gate = new Gate()
  readonly data = new MemoryLogData()
  readonly env
  readonly uplink: Uplink
  /** By name, with the number that it is told under: `ok`, or the message of its error. */
  readonly told: [name: string, n: number, what: string][] = []
  readonly #log: MemoryLog

  constructor({ commands: most = 100, bytes = 1_000_000 } = {}, refuse: () => void = () => {}) {
    this.data.createTopics(clusterTopics(testConfig({ 'topics.slots': '2', 'topics.inbox_partitions': '1' })))
    this.#log = new MemoryLog(this.data, {
      beforeAppend: () => {
        refuse()
        return this.gate.pass()
      },
    })
    this.env = testEnv({ clock: this.clock, log: this.#log })
    this.uplink = new Uplink(this.env, {
      instance: 'p',
      producer: 'p.1',
      slotOf: () => 'default/0',
      inFlight: { commands: most, bytes },
      replyDeadlineMs,
      settled: (work, n, { error }) => void this.told.push([nameOf(work), n, error?.message ?? 'ok']),
    })
  }

  /** Sends a command; the name goes where the message of a client would be named. */
  send(name: string, request: Partial<Request> = {}): ReturnType<Uplink['send']> {
    const work = { for: 'missed', key: name } as const
    const request_ = { ...ofNobody, method: 'publish', channel: 'room', payload: Buffer.from(name), work }
    return this.uplink.send({ ...request_, isRead: false, isExempt: false, ...request })
  }

  /** Sends a command and waits until the log has it. */
  async sent(name: string, request: Partial<Request> = {}): Promise<number> {
    const n = this.send(name, request)
    assert.ok(typeof n === 'number')
    await until('it is in the log', () => this.inLog().some((command) => command.n === n))
    return n
  }

  answer(n: number): string | undefined {
    const work = this.uplink.answer('default/0', n, done)
    return work && nameOf(work)
  }

  answerRead(n: number, part: AnswerRecord['part'] = null, body = done.body): void {
    const whose = { slot: 'default/0', to: 'p', worker: 'w', version: 'v' } as const
    this.uplink.answerRead({ type: 'answer', ...whose, n, error: null, part, body })
  }

  inLog(partition = 0): { n: number; name: string }[] {
    return this.data
      .read(commands, partition, 0)
      .map(({ value }) => decodeCommand(value))
      .map(({ n, payload }) => ({ n, name: payload.toString() }))
  }

  async bytesInFlight(): Promise<number> {
    return (await this.env.metrics.inFlightBytes.get()).values[0]!.value
  }

  async inFlight(): Promise<number> {
    return (await this.env.metrics.inFlight.get()).values[0]?.value ?? 0
  }

  /** Until the sweep that sees that so much time has passed. */
  pass(ms: number): void {
    this.clock.advance(ms + deadlineSweepMs)
  }

  [Symbol.dispose](): void {
    this.uplink.stop()
    this.gate.open()
    void this.#log.close()
  }
}

const nameOf = (work: Request['work']): string => (work as { key: string }).key

void t.test('commands of a slot are numbered from 1, and lie in the log in that order', async (t) => {
  using rig = new Rig()
  t.strictSame(
    ['a', 'b', 'c'].map((name) => rig.send(name)),
    [1, 2, 3],
  )
  t.equal(rig.send('elsewhere', { slot: 'default/1' }), 1, 'each slot has numbers of its own')
  await until('all are in the log', () => rig.inLog().length === 3 && rig.inLog(1).length === 1)
  t.strictSame(rig.inLog(), [
    { n: 1, name: 'a' },
    { n: 2, name: 'b' },
    { n: 3, name: 'c' },
  ])
})

void t.test('an answer is told once, and counts as in flight until then', async (t) => {
  using rig = new Rig()
  const n = await rig.sent('a')
  t.equal(await rig.inFlight(), 1)
  t.equal(rig.answer(n), 'a')
  t.equal(rig.answer(n), undefined, 'again: it is not known any more')
  t.equal(rig.answer(77), undefined, 'never sent')
  t.strictSame(rig.told, [['a', n, 'ok']])
  t.equal(await rig.inFlight(), 0)
})

void t.test('what is open below an answer has lost its own', async (t) => {
  using rig = new Rig()
  for (const name of ['a', 'b', 'c']) await rig.sent(name)
  await rig.sent('read', { isRead: true })
  const last = await rig.sent('d')
  rig.answer(2)
  t.strictSame(rig.told, [
    ['a', 1, 'internal server error'],
    ['b', 2, 'ok'],
  ])
  rig.answer(last)
  t.strictSame(
    rig.told.slice(2).map(([name]) => name),
    ['c', 'd'],
    'answers of reads come in any order',
  )
})

void t.test('what could not be told leaves open what was sent and not yet answered', async (t) => {
  using rig = new Rig()
  await rig.sent('write')
  await rig.sent('read', { isRead: true })
  rig.gate.shut()
  rig.send('held')
  await until('it is being sent', () => rig.gate.held === 1)
  rig.send('waits')
  rig.uplink.resync('default/0')
  t.strictSame(
    rig.told.map(([name]) => name),
    ['write', 'held'],
  )
})

void t.test('at its deadline a command is given up: never sent, it is taken back', async (t) => {
  using rig = new Rig()
  rig.gate.shut()
  rig.send('sent')
  await until('it is being sent', () => rig.gate.held === 1)
  rig.send('waits')
  rig.pass(replyDeadlineMs - 2 * deadlineSweepMs)
  t.strictSame(rig.told, [], 'not before')
  rig.pass(deadlineSweepMs)
  t.strictSame(rig.told, [
    ['sent', 1, 'internal server error'],
    ['waits', 2, 'internal server error'],
  ])
  t.equal(await rig.inFlight(), 1, 'what may be in the log stays in flight')
  t.strictSame(rig.uplink.overdueSlots(), ['default/0'])
  rig.gate.open()
  await rig.sent('next')
  t.strictSame(
    rig.inLog().map(({ name }) => name),
    ['sent', 'next'],
  )
  t.equal(rig.answer(1), 'sent')
  t.equal(rig.told.length, 2, 'its client has an answer')
  t.strictSame(rig.uplink.overdueSlots(), [])
})

void t.test('of a write that waits for its answer beyond the deadline little is kept', async (t) => {
  using rig = new Rig()
  await rig.sent('write', { payload: Buffer.alloc(10_000) })
  t.ok((await rig.bytesInFlight()) > 10_000)
  rig.pass(replyDeadlineMs)
  t.ok((await rig.bytesInFlight()) < 1_000)
  rig.answer(1)
  t.equal(await rig.bytesInFlight(), 0)
})

void t.test('a read without an answer is asked again, later each time; a write is not', async (t) => {
  using rig = new Rig()
  await rig.sent('write')
  await rig.sent('read', { isRead: true })
  const asked = () => rig.inLog().filter(({ name }) => name === 'read')
  rig.pass(readRetryMs)
  await until('it is asked again', () => asked().length === 2)
  rig.pass(readRetryMs)
  t.equal(asked().length, 2, 'not so soon')
  rig.pass(readRetryMs)
  await until('it is asked once more', () => asked().length === 3)
  rig.pass(3 * readRetryMs)
  t.equal(asked().length, 3)
  rig.pass(readRetryMs)
  await until('and again', () => asked().length === 4)
  t.strictSame(
    rig.inLog().map(({ n }) => n),
    [1, 2, 3, 4, 5],
    'each time under a number of its own',
  )
  rig.answerRead(4)
  rig.answerRead(2)
  t.strictSame(rig.told, [['read', 2, 'ok']], 'any of its answers will do, and it is told under its first number')
  t.equal(await rig.inFlight(), 1)
})

void t.test('a read that was asked again ends at its deadline as the one command that it is', async (t) => {
  using rig = new Rig()
  await rig.sent('read', { isRead: true })
  await rig.sent('write', { channel: 'other' })
  rig.pass(replyDeadlineMs)
  t.strictSame(rig.told, [
    ['read', 1, 'internal server error'],
    ['write', 2, 'internal server error'],
  ])
  t.equal(await rig.inFlight(), 1, 'the write')
  t.strictSame(rig.uplink.overdueSlots(), ['default/0'])
})

void t.test('a read whose answer is on its way is not asked again', async (t) => {
  using rig = new Rig()
  await rig.sent('read', { isRead: true })
  rig.clock.advance(readRetryMs - deadlineSweepMs)
  rig.answerRead(1, { from: 0, of: 2 }, Buffer.from('{'))
  rig.clock.advance(readRetryMs - deadlineSweepMs)
  t.equal(rig.inLog().length, 1)
  t.strictSame(rig.told, [], 'a part is no answer')
  rig.answerRead(1, { from: 1, of: 2 }, Buffer.from('}'))
  t.strictSame(rig.told, [['read', 1, 'ok']])
})

void t.test('more than may be in flight is refused, but for what tidies up', async (t) => {
  using rig = new Rig({ commands: 8 })
  rig.send('a')
  rig.send('b')
  t.equal(rig.send('c'), errors.tooManyRequests, 'a quarter for one channel')
  t.equal(rig.send('c', { channel: 'other' }), 3)
  t.equal(rig.send('close', { isExempt: true }), 4)
  await until('all are in the log', () => rig.inLog().length === 4)
  rig.pass(replyDeadlineMs)
  t.notOk(
    rig.told.some(([name]) => name === 'close'),
    'it has no deadline either',
  )
  t.equal(rig.send('d'), errors.tooManyRequests, 'nobody has handled those before')
  rig.answer(1)
  t.equal(rig.send('d'), 5)
})

void t.test('what is too large for the log is not sent', async (t) => {
  using rig = new Rig({ bytes: 1e9 })
  t.equal(rig.send('a', { payload: Buffer.alloc(commandBytesMax) }), errors.limitExceeded)
  t.equal(rig.send('b'), 1, 'and leaves no hole in the numbers')
})

void t.test('what the log refuses although it is not too large costs only itself', async (t) => {
  let isRefusing = true
  const refuse = () => {
    if (isRefusing) throw new LogError('too_large', 'a broker of its own mind')
  }
  using rig = new Rig({}, refuse)
  rig.send('a')
  await until('it is told', () => rig.told.length === 1)
  t.strictSame(rig.told, [['a', 1, 'limit exceeded']])
  isRefusing = false
  await rig.sent('b')
  t.equal(rig.answer(2), 'b')
})

void t.test('a command can be taken back until it is sent', async (t) => {
  using rig = new Rig()
  rig.gate.shut()
  const sending = rig.send('sending') as number
  await until('it is being sent', () => rig.gate.held === 1)
  const waiting = rig.send('waiting') as number
  t.equal(rig.uplink.cancel('default/0', sending), false)
  t.equal(rig.uplink.cancel('default/0', waiting), true)
  t.equal(rig.uplink.cancel('default/0', waiting), false)
  t.equal(rig.uplink.cancel('default/1', 1), false, 'no such slot')
  rig.gate.open()
  await rig.sent('next')
  t.strictSame(
    rig.inLog().map(({ name }) => name),
    ['sending', 'next'],
  )
  t.strictSame(rig.told, [], 'nobody waits for it')
})

/** What happens to a slot's commands, one after the other. */
const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('write', 'read') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('answer', 'answer again'), at: fc.nat({ max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('take back', 'pass'), at: fc.nat({ max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('resync', 'reach the log') }) },
) as fc.Arbitrary<{ do: string; at?: number }>

void t.test('whatever happens, each command is told once or taken back, and nothing stays in flight', async (t) => {
  let lost = 0
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 60, size: 'max' }), async (course) => {
      using rig = new Rig()
      const open: { name: string; n: number; isRead: boolean }[] = []
      const takenBack = new Set<string>()
      let count = 0
      const answer = ({ n, isRead }: { n: number; isRead: boolean }) => (isRead ? rig.answerRead(n) : rig.answer(n))
      for (const { do: what, at = 0 } of course) {
        const one = open[at % Math.max(1, open.length)]
        if (what === 'write' || what === 'read') {
          const name = `${what} ${++count}`
          const isRead = what === 'read'
          const n = rig.send(name, { isRead, channel: `c${count}` })
          if (typeof n === 'number') open.push({ name, n, isRead })
        } else if (what === 'resync') rig.uplink.resync('default/0')
        else if (what === 'reach the log') await new Promise((resolve) => setImmediate(resolve))
        else if (what === 'pass') rig.clock.advance(at * 1_000)
        else if (one && what === 'take back') {
          if (rig.uplink.cancel('default/0', one.n)) takenBack.add(one.name)
        } else if (one) answer(one)
      }
      await new Promise((resolve) => setImmediate(resolve))
      for (const each of open) answer(each)
      const told = rig.told.map(([name]) => name)
      const names = open.map(({ name }) => name)
      assert.deepEqual([...told, ...takenBack].toSorted(), names.toSorted())
      for (const [name, n] of rig.told) assert.equal(n, open.find((each) => each.name === name)!.n)
      assert.equal(await rig.inFlight(), 0)
      lost += rig.told.filter(([, , what]) => what !== 'ok').length
    }),
    { numRuns: 200 },
  )
  t.ok(lost > 100, `held, and ${lost} were told that their outcome is unknown`)
})
