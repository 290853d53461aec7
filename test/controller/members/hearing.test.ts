// Proves what a controller takes for news: what was announced before it began is the past, told before it begins to
// work; and neither an unreadable record nor a log that lost what it had keeps it from that.
import t from 'tap'
import { clusterTopics } from '../../../cluster/topics.ts'
import { heard, heardKept } from '../../../controller/members/heard.ts'
import { Hearing, recallMaxMs } from '../../../controller/members/hearing.ts'
import { MemoryLog, MemoryLogData } from '../../../log/memory/memory-log.ts'
import { encodeControl } from '../../../protocol/records/control.ts'
import { encodeStatus } from '../../../protocol/records/status.ts'
import { controlTopic, statusTopic } from '../../../protocol/records/topics.ts'
import { testEnv } from '../../harness/env.ts'
import { testConfig } from '../../harness/settings.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/until.ts'

/** A controller's ears, and what they tell: who is said to have left, and which hints there were. */
class Rig implements Disposable {
  readonly clock = new ManualClock()
  readonly data = new MemoryLogData()
  readonly past: string[] = []
  readonly news: string[] = []
  readonly hearing: Hearing

  constructor() {
    this.data.createTopics(clusterTopics(testConfig({ 'topics.slots': '1', 'topics.inbox_partitions': '1' })))
    this.hearing = new Hearing(testEnv({ clock: this.clock, log: new MemoryLog(this.data) }), {
      news: (record) => this.news.push('id' in record ? record.id : record.type),
      past: (record) => this.past.push('id' in record ? record.id : record.type),
      unreadable: (_, error) => t.fail(error.message),
      failed: (error) => t.fail(String(error)),
    })
  }

  left(...ids: string[]): void {
    this.data.append(
      statusTopic,
      0,
      ids.map((id) => ({ key: null, value: encodeStatus({ type: 'left', role: 'worker', id }) })),
    )
  }

  [Symbol.dispose](): void {
    this.hearing.stop()
  }
}

t.test('what was announced before, and what is announced since', async (t) => {
  using rig = new Rig()
  rig.left('a', 'b')
  const hint = encodeControl({ type: 'drain', term: 1, worker: 'w' })
  rig.data.append(controlTopic, 0, [{ key: null, value: hint }])
  await rig.hearing.start(await rig.hearing.places())
  await until('all of it is told', () => rig.past.length === 3)
  t.same(rig.past.toSorted(), ['a', 'b', 'drain'])
  rig.left('c')
  await until('it is told', () => rig.news.length === 1)
  t.same(rig.news, ['c'])
})

t.test('it looks back at the newest ones only', async (t) => {
  using rig = new Rig()
  rig.left(...Array.from({ length: heardKept.records }, (_, index) => String(index)))
  await rig.hearing.start(await rig.hearing.places())
  t.equal(rig.past.length, heardKept.recalled)
  t.equal(rig.past.at(-1), String(heardKept.records - 1))
})

t.test('the last one is unreadable', async (t) => {
  using rig = new Rig()
  rig.left('a')
  rig.data.append(statusTopic, 0, [{ key: null, value: Buffer.from('?') }])
  await rig.hearing.start(await rig.hearing.places())
  t.same(rig.past, ['a'])
})

t.test('the log has lost what it had when it was looked at', async (t) => {
  using rig = new Rig()
  const nowhere = { oldest: 0, next: 0 }
  let hasBegun = false
  const places = { control: nowhere, announced: heard.map(() => ({ oldest: 0, next: 2 })) }
  const start = rig.hearing.start(places).then(() => (hasBegun = true))
  rig.clock.advance(recallMaxMs - 1)
  await Promise.resolve()
  t.notOk(hasBegun)
  rig.clock.advance(1)
  await start
  rig.left('a')
  await until('it is told', () => rig.news.length === 1)
  t.same(rig.past, [])
})
