/**
 * Proves that a process's announcements reach the log in order, that while it is away only the newest heartbeat waits,
 * and that a farewell ends the heartbeats and has its time and no more.
 */
import t from 'tap'
import { Announcer } from '../../cluster/announcer.ts'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import type { Clock } from '../../platform/clock.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { decodeStatus } from '../../protocol/records/status.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import { heartbeatPartitions, heartbeatTopic, statusTopic } from '../../protocol/records/topics.ts'
import { testEnv } from '../harness/env.ts'

const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Time that passes when the test says. */
class HeldClock implements Clock {
  tick: (() => void) | null = null
  intervalMs = 0
  sleeps: { ms: number; end: () => void }[] = []
  readonly retries = new Set<() => void>()

  now = () => 0
  monotonic = () => 0
  after(_ms: number, run: () => void) {
    this.retries.add(run)
    return { cancel: () => this.retries.delete(run) }
  }
  /** Ends every pause between two tries. */
  retry() {
    const due = [...this.retries]
    this.retries.clear()
    for (const run of due) run()
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
  data.createTopics([
    { name: statusTopic, partitions: 1, compacted: false },
    { name: heartbeatTopic, partitions: heartbeatPartitions, compacted: false },
  ])
  const log = new MemoryLog(data)
  const clock = new HeldClock()
  const env = testEnv({ clock, log })
  const announcer = new Announcer(env, 'c-1', (beat) => ({
    type: 'heartbeat',
    role: 'controller',
    id: 'c-1',
    pid: 1,
    version: '0',
    internal: { host: '127.0.0.1', port: 1 },
    beat,
  }))
  const announced = () => data.read(statusTopic, 0, 0).map(({ value }) => decodeStatus(value).type)
  const partition = partitionOf('c-1', heartbeatPartitions)
  const beats = () => data.read(heartbeatTopic, partition, 0).map(({ value }) => beatOf(decodeStatus(value)))
  return { log, clock, announcer, announced, beats }
}

const beatOf = (record: StatusRecord) => (record.type === 'heartbeat' ? record.beat : null)
const halted: StatusRecord = { type: 'halted', slot: 'default/0', worker: 'w', reason: 'test' }
const left: StatusRecord = { type: 'left', role: 'controller', id: 'c-1' }

void t.test('a beat at once, then one per interval, announcements on their own topic', async (t) => {
  const { clock, announcer, announced, beats } = rig()
  announcer.start(250)
  t.equal(clock.intervalMs, 250)
  await settled()
  announcer.announce(halted)
  await settled()
  clock.tick?.()
  await settled()
  t.strictSame(beats(), [1, 2])
  t.strictSame(announced(), ['halted'])
})

void t.test('while the log is away only the newest beat waits, and all that was announced', async (t) => {
  const { log, clock, announcer, announced, beats } = rig()
  log.cut()
  announcer.start(250)
  await settled()
  announcer.announce(halted)
  for (let i = 0; i < 50; i++) {
    clock.tick?.()
    await settled()
    clock.retry()
    await settled()
  }
  announcer.announce(left)
  log.restore()
  clock.retry()
  await settled()
  t.strictSame(beats(), [1, 51], 'the first was under way')
  t.strictSame(announced(), ['halted', 'left'])
  announcer.beat()
  await settled()
  t.strictSame(beats().at(-1), 52)
})

void t.test('it is known once a beat is in the log, or when there will be none', async (t) => {
  for (const how of ['beat', 'end'] as const) {
    const { log, clock, announcer } = rig()
    let isKnown = false
    void announcer.known().then(() => (isKnown = true))
    log.cut()
    announcer.start(250)
    await settled()
    t.notOk(isKnown)
    if (how === 'beat') {
      log.restore()
      clock.retry()
    } else announcer.stop()
    await settled()
    t.ok(isKnown)
  }
})

void t.test('a farewell ends the beats and is the last word', async (t) => {
  const { clock, announcer, announced, beats } = rig()
  announcer.start(250)
  await settled()
  await announcer.leave(left)
  t.equal(clock.tick, null)
  t.strictSame([beats(), announced()], [[1], ['left']])
  announcer.announce(halted)
  announcer.beat()
  await settled()
  t.strictSame([beats(), announced()], [[1], ['left']])
})

void t.test('a farewell that does not get through ends by its deadline', async (t) => {
  const { log, clock, announcer, announced, beats } = rig()
  announcer.start(250)
  await settled()
  log.cut()
  const leaving = announcer.leave(left)
  await settled()
  t.strictSame(
    clock.sleeps.map(({ ms }) => ms),
    [500],
  )
  clock.sleeps[0]?.end()
  await leaving
  log.restore()
  t.equal(clock.retries.size, 0, 'nothing goes on')
  t.strictSame([beats(), announced()], [[1], []])
})
