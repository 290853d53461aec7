/**
 * Proves what everything above the log builds on: a lane has one append outstanding, retries included; what it was
 * given reaches the log in order, whatever fails, and is acknowledged once, in order, at the place of its last copy; what
 * the log can never take is dropped, and holds nobody up; what may wait goes after everything else, and goes.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { appendBatchMax, appendLaterMax, appendRetryMs } from '../../log/append-lane.ts'
import { LogError } from '../../log/errors.ts'
import { recordOverheadBytes } from '../../protocol/records/sizes.ts'
import { HeldLog, isTooLarge, rig, settled } from './lane-rig.ts'
import type { Fate } from './lane-rig.ts'

void t.test('what is pushed in one turn goes together, what comes meanwhile forms the next append', async (t) => {
  const { log, lane, push, end, acknowledged, sent } = rig()
  push('a')
  push('b')
  t.strictSame(sent, [], 'nothing before the turn ends')
  await settled()
  t.strictSame(log.held[0]?.texts, ['a', 'b'])
  push('c')
  push('d')
  await settled()
  t.equal(log.held.length, 1)
  t.strictSame(sent, ['a', 'b'])
  t.equal(lane.queuedBytes, 2 * (recordOverheadBytes + 1))
  await end('stored')
  t.strictSame(acknowledged, [
    ['a', 0],
    ['b', 1],
  ])
  t.strictSame(log.held[0]?.texts, ['c', 'd'])
  t.equal(lane.queuedBytes, 0)
  t.notOk(lane.isIdle)
  await end('stored')
  t.ok(lane.isIdle)
  t.strictSame(log.entries, ['a', 'b', 'c', 'd'])
})

void t.test('a lane waits for its turn: what is pushed until then goes too, what is taken back does not', async (t) => {
  let turn = Promise.withResolvers<void>()
  const log = Object.assign(new HeldLog(), { turn: () => turn.promise })
  const { lane, push, end, sent } = rig(log)
  push('a')
  await settled()
  push('b')
  push('c')
  t.strictSame(
    lane.remove(({ name }) => name === 'b').map(({ name }) => name),
    ['b'],
  )
  t.strictSame([sent, log.held.length], [[], 0])
  turn.resolve()
  await settled()
  t.strictSame(log.held[0]?.texts, ['a', 'c'])
  turn = Promise.withResolvers()
  await end('stored')
  push('d')
  await settled()
  lane.remove(() => true)
  turn.resolve()
  await settled()
  t.strictSame(log.held, [], 'nothing is left to append')
  t.ok(lane.isIdle)
  push('e')
  await settled()
  t.strictSame(log.held[0]?.texts, ['e'])
})

void t.test('what may wait goes when nothing else does, and a little at a time', async (t) => {
  const { log, lane, push, pushLater, end } = rig()
  const bytes = appendLaterMax.bytes / 2
  for (const name of ['x', 'y', 'z']) pushLater(name, { bytes: bytes - recordOverheadBytes })
  push('a')
  t.equal(lane.laterBytes, 3 * bytes)
  t.equal(lane.queuedBytes, recordOverheadBytes + 1)
  const names = () => log.held[0]?.texts.map((text) => text[0])
  await settled()
  t.strictSame(names(), ['a'])
  await end('stored')
  t.strictSame(names(), ['x', 'y'], 'as much as goes together')
  push('b')
  await end('stored')
  t.strictSame(names(), ['b'], 'again something comes first')
  t.notOk(lane.isIdle)
  await end('stored')
  t.strictSame(names(), ['z'])
  await end('stored')
  t.ok(lane.isIdle)
  t.equal(lane.laterBytes, 0)
  pushLater('huge', { bytes: 2 * appendLaterMax.bytes, instead: 'w' })
  await settled()
  await end('stored')
  t.strictSame(names(), ['w'], 'one that is refused has its place taken')
  lane.stop()
  t.equal(lane.laterBytes, 0)
})

void t.test('what may wait is not passed by for ever', async (t) => {
  const { log, push, pushLater, end } = rig()
  pushLater('x')
  pushLater('y')
  const order: string[] = []
  push('a')
  await settled()
  for (let count = 0; count < 2 * appendLaterMax.passedBy + 3; count++) {
    push('a')
    order.push(...log.held[0]!.texts)
    await end('stored')
  }
  t.strictSame(order.indexOf('x'), appendLaterMax.passedBy)
  t.strictSame(order.indexOf('y'), appendLaterMax.passedBy + 1, 'what fits goes with it')
})

void t.test('a failed append is retried before anything else, with a growing pause', async (t) => {
  const { log, push, end, time, sent, tried, acknowledged } = rig()
  push('a')
  await settled()
  push('b')
  for (let i = 0; i < 8; i++) await end('lost')
  t.strictSame(log.held[0]?.texts, ['a'])
  t.strictSame(sent, ['a'], 'sent for the first time once')
  const { first, max } = appendRetryMs
  t.strictSame(
    time.pausesMs,
    [1, 2, 4, 8, 16, 32, 64, 128].map((times) => Math.min(first * times, max)),
  )
  await end('stored, not acknowledged')
  await end('stored')
  await end('stored')
  t.strictSame(log.entries, ['a', 'a', 'b'])
  t.strictSame(acknowledged, [
    ['a', 1],
    ['b', 2],
  ])
  t.strictSame(tried, [...Array<boolean>(9).fill(false), true, true])
})

void t.test('what an acknowledgement makes its caller push waits its turn too', async (t) => {
  const { log, lane, push, end, acknowledged } = rig()
  push('a', { appended: () => push('b') })
  await settled()
  await end('stored')
  t.strictSame(log.held[0]?.texts, ['b'])
  t.notOk(lane.isIdle)
  push('c')
  await settled()
  t.equal(log.held.length, 1, 'one append outstanding')
  await end('stored')
  await end('stored')
  t.equal(log.outstandingMost, 1)
  t.strictSame(acknowledged, [
    ['a', 0],
    ['b', 1],
    ['c', 2],
  ])
  t.ok(lane.isIdle)
})

void t.test('an append is bounded in entries and bytes', async (t) => {
  const { log, push, end } = rig()
  for (let i = 0; i <= appendBatchMax.entries; i++) push(`${i}`)
  await settled()
  t.equal(log.held[0]?.texts.length, appendBatchMax.entries)
  await end('stored')
  t.strictSame(log.held[0]?.texts, [`${appendBatchMax.entries}`])
  const half = appendBatchMax.bytes / 2 - recordOverheadBytes
  for (const [name, bytes] of [
    ['x', half],
    ['y', half],
    ['z', 1],
    ['large', appendBatchMax.bytes + 1],
    ['after', 1],
  ] as const) {
    push(name, { bytes })
  }
  const next = async () => {
    await end('stored')
    return log.held[0]?.texts.map((text) => text.replace(/\.+$/, ''))
  }
  t.strictSame(await next(), ['x', 'y'])
  t.strictSame(await next(), ['z'])
  t.strictSame(await next(), ['large'], 'one that is larger goes alone')
  t.strictSame(await next(), ['after'])
})

void t.test('what the log can never take is found among others, dropped, and never tried again', async (t) => {
  const { log, lane, push, end, acknowledged, refused, time, sent } = rig()
  for (const name of ['a', 'b', 'c', 'huge', 'd']) push(name)
  await settled()
  push('after')
  const tries: string[][] = []
  while (log.held.length > 0) {
    tries.push(log.held[0]!.texts)
    await end('stored')
  }
  t.strictSame(tries, [['a', 'b', 'c', 'huge', 'd'], ['a', 'b', 'c'], ['huge', 'd'], ['huge'], ['d'], ['after']])
  t.strictSame(refused, ['huge'])
  t.strictSame(log.entries, ['a', 'b', 'c', 'd', 'after'])
  t.strictSame(
    acknowledged.map(([name]) => name),
    log.entries,
  )
  t.strictSame(sent, ['a', 'b', 'c', 'huge', 'd', 'after'])
  t.strictSame(time.pausesMs, [], 'nothing is waited for')
  t.ok(lane.isIdle)
})

void t.test('what goes in its place goes there, and may be refused too', async (t) => {
  const { log, push, end, refused } = rig()
  push('a')
  push('huge', { instead: 'small' })
  push('huger', { instead: 'hugest' })
  push('b')
  await settled()
  while (log.held.length > 0) await end('stored')
  t.strictSame(log.entries, ['a', 'small', 'b'])
  t.strictSame(refused, ['huge', 'huger', 'hugest'])
})

void t.test('a stopped lane looks for nobody to blame', async (t) => {
  const { log, lane, push, end, refused } = rig()
  for (const name of ['a', 'huge']) push(name)
  await settled()
  lane.stop()
  await end('stored')
  t.strictSame([log.held, refused], [[], []])
})

void t.test('what was not sent can be taken back, what was sent cannot', async (t) => {
  const { log, lane, push, end, acknowledged } = rig()
  push('a')
  await settled()
  for (const name of ['b', 'c', 'd']) push(name)
  const removed = lane.remove(({ name }) => name !== 'c')
  t.strictSame(
    removed.map(({ name }) => name),
    ['b', 'd'],
  )
  t.equal(lane.queuedBytes, recordOverheadBytes + 1)
  await end('stored')
  await end('stored')
  t.strictSame(log.entries, ['a', 'c'])
  t.equal(acknowledged.length, 2)
})

void t.test('idle waits for what waits and is under way', async (t) => {
  const { lane, push, end } = rig()
  await lane.idle()
  push('a')
  let idle = false
  const waiting = lane.idle().then(() => (idle = true))
  await settled()
  push('b')
  await end('stored')
  t.notOk(idle)
  await end('stored')
  await waiting
  push('c')
  lane.remove(() => true)
  await lane.idle()
  t.pass('also when all of it was taken back')
})

void t.test('a stopped lane drops what waits, stops retrying and lets nobody wait', async (t) => {
  const { log, lane, push, acknowledged, time } = rig()
  push('a')
  await settled()
  push('b')
  log.held.shift()?.end('lost')
  await settled()
  const waiting = lane.idle()
  lane.stop()
  await waiting
  push('c')
  await settled()
  t.equal(time.wake, null, 'its timer is gone')
  t.strictSame(log.held, [])
  t.equal(lane.queuedBytes, 0)
  t.strictSame(acknowledged, [])
  await lane.idle()
})

void t.test('a log that is closed ends it', async (t) => {
  const { log, push, time } = rig()
  push('a')
  await settled()
  log.held.shift()?.refuse(new LogError('closed', 'closed'))
  await settled()
  t.strictSame(log.held, [])
  t.strictSame(time.pausesMs, [])
})

type Step =
  | { do: 'push'; echo: boolean; isHuge: boolean }
  | { do: 'end'; fate: Fate }
  | { do: 'turn' }
  | { do: 'remove' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      echo: fc.boolean(),
      isHuge: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      fate: fc.constantFrom<Fate>('stored', 'lost', 'stored, not acknowledged'),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'turn' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'remove' as const }) },
)

void t.test('whatever a flaky log does', async (t) => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
    const { log, lane, push, end, acknowledged, refused, sent } = rig()
    const kept: string[] = []
    let made = 0
    /** Pushes an entry; one that echoes makes its caller push another as soon as it is acknowledged. */
    const add = (echo: boolean, isHuge: boolean) => {
      const name = `${isHuge ? 'huge ' : ''}${made++}`
      kept.push(name)
      push(name, echo ? { appended: () => add(false, false) } : {})
    }
    for (const each of steps) {
      if (each.do === 'push') add(each.echo, each.isHuge)
      else if (each.do === 'turn') await settled()
      else if (each.do === 'end') {
        if (log.held.length > 0) await end(each.fate)
      } else {
        for (const { name } of lane.remove(({ name }) => Number(name) % 3 === 0)) {
          assert.ok(!sent.includes(name))
          kept.splice(kept.indexOf(name), 1)
        }
      }
      assert.ok(log.outstanding <= 1)
    }
    await settled()
    while (log.held.length > 0) await end('stored')
    assert.ok(lane.isIdle)
    assert.equal(lane.queuedBytes, 0)
    assert.equal(log.outstandingMost, made === 0 || sent.length === 0 ? 0 : 1)
    assert.deepEqual(sent, kept)
    assert.deepEqual(refused, kept.filter(isTooLarge))
    const taken = kept.filter((name) => !isTooLarge(name))
    assert.deepEqual(
      acknowledged.map(([name]) => name),
      taken,
    )
    // Repeats are of whole appends, so the last copies stand in order, each where its acknowledgement said.
    for (const [name, offset] of acknowledged) assert.equal(log.entries.lastIndexOf(name), offset)
    assert.deepEqual([...new Set(log.entries)], taken)
  })
  const details = await fc.check(property, { numRuns: 300 })
  t.notOk(details.failed, details.failed ? String(fc.defaultReportMessage(details)) : 'held')
})
