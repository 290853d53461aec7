/**
 * Proves that a process's announcements reach the status topic in order, that while the log is away only the newest
 * heartbeat waits among them, and that a farewell has its time and no more.
 */
import pino from 'pino'
import t from 'tap'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { Announcer } from '../../platform/announcer.ts'
import type { Clock } from '../../platform/clock.ts'
import { systemRandom } from '../../platform/random.ts'
import { decodeStatus } from '../../protocol/status-record.ts'
import type { StatusRecord } from '../../protocol/status-record.ts'
import { statusTopic } from '../../protocol/topics.ts'

const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Time that passes when the test says. */
class HeldClock implements Clock {
  tick: (() => void) | null = null
  intervalMs = 0
  sleeps: { ms: number; end: () => void }[] = []
  retry: (() => void) | null = null

  now = () => 0
  monotonic = () => 0
  after(_ms: number, run: () => void) {
    this.retry = run
    return { cancel: () => (this.retry = null) }
  }
  every(ms: number, run: () => void) {
    this.intervalMs = ms
    this.tick = run
    return { cancel: () => (this.tick = null) }
  }
  sleep(ms: number) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.sleeps.push({ ms, end: resolve })
    return promise
  }
}

function rig() {
  const data = new MemoryLogData()
  data.createTopics([{ name: statusTopic, partitions: 1, compacted: false }])
  const log = new MemoryLog(data)
  const clock = new HeldClock()
  const env = { clock, random: systemRandom, log, logger: pino({ level: 'silent' }), metrics: createMetrics() }
  const announcer = new Announcer(env, (beat) => ({
    type: 'heartbeat',
    role: 'controller',
    id: 'c-1',
    pid: 1,
    version: '0',
    internal: { host: '127.0.0.1', port: 1 },
    beat,
  }))
  /** Beats by their number, other announcements by their type. */
  const announced = () => data.read(statusTopic, 0, 0).map(({ value }) => nameOf(decodeStatus(value)))
  return { log, clock, announcer, announced }
}

const nameOf = (record: StatusRecord) => (record.type === 'heartbeat' ? record.beat : record.type)
const halted: StatusRecord = { type: 'halted', slot: 'default/0', worker: 'w', reason: 'test' }
const left: StatusRecord = { type: 'left', role: 'controller', id: 'c-1' }

void t.test('a beat at once, then one per interval, announcements in between', async (t) => {
  const { clock, announcer, announced } = rig()
  announcer.start(250)
  t.equal(clock.intervalMs, 250)
  await settled()
  announcer.announce(halted)
  await settled()
  clock.tick?.()
  await settled()
  t.strictSame(announced(), [1, 'halted', 2])
})

void t.test('while the log is away only the newest beat waits, behind what was announced before it', async (t) => {
  const { log, clock, announcer, announced } = rig()
  log.cut()
  announcer.start(250)
  await settled()
  announcer.announce(halted)
  for (let i = 0; i < 50; i++) {
    clock.tick?.()
    await settled()
    clock.retry?.()
    await settled()
  }
  announcer.announce(left)
  log.restore()
  clock.retry?.()
  await settled()
  t.strictSame(announced(), [1, 'halted', 51, 'left'], 'the first was under way')
  announcer.beat()
  await settled()
  t.strictSame(announced().at(-1), 52)
})

void t.test('a farewell ends the beats and is the last word', async (t) => {
  const { clock, announcer, announced } = rig()
  announcer.start(250)
  await announcer.leave(left, 500)
  t.equal(clock.tick, null)
  t.strictSame(announced(), [1, 'left'])
  announcer.announce(halted)
  announcer.beat()
  await settled()
  t.strictSame(announced(), [1, 'left'])
})

void t.test('a farewell that does not get through ends by its deadline', async (t) => {
  const { log, clock, announcer, announced } = rig()
  announcer.start(250)
  await settled()
  log.cut()
  const leaving = announcer.leave(left, 500)
  await settled()
  t.strictSame(
    clock.sleeps.map(({ ms }) => ms),
    [500],
  )
  clock.sleeps[0]?.end()
  await leaving
  log.restore()
  t.equal(clock.retry, null, 'nothing goes on')
  t.strictSame(announced(), [1])
})
