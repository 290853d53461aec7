/**
 * Proves what a process makes of the faults that it is told of: the same seed strikes the same, so many of a hundred, only
 * what matches, a kill once for a record, and none longer than its time.
 */
import t from 'tap'
import type { Faults, StruckRecord } from '../../../cluster/faults/faults.ts'
import { createMetrics } from '../../../observability/metrics.ts'
import type { Fault } from '../../../protocol/records/fault.ts'
import { testFaults } from '../../harness/env.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const rule = (own: Partial<Fault> = {}): Fault => ({ name: 'f', stage: 'db', seed: 1, ...own })
const delayed = (percentage: number, own: Partial<Fault> = {}) => rule({ delay: { percentage, fixedDelay: 5 }, ...own })

function set(faults: Faults, ...rules: Fault[]): Faults {
  const rejected = faults.set(rules)
  if (rejected !== null) throw new Error(rejected)
  return faults
}

/** Which of the first so many requests of a slot are struck. */
function struck(faults: Faults, count: number, of = 'default/0'): number[] {
  const all = Array.from({ length: count }, (_, index) => (faults.strike('db', [{}], { of }) ? index : -1))
  return all.filter((index) => index !== -1)
}

t.test('the same seed strikes the same, another one others', async (t) => {
  const first = struck(set(testFaults(), delayed(20)), 200)
  t.ok(first.length > 0)
  t.same(struck(set(testFaults(), delayed(20)), 200), first)
  t.notSame(struck(set(testFaults(), delayed(20, { seed: 2 })), 200), first)
  t.notSame(struck(set(testFaults(), delayed(20, { name: 'g' })), 200), first, 'each rule draws for itself')
})

t.test('of the draws of each user or slot none depends on what others do', async (t) => {
  const alone = struck(set(testFaults(), delayed(30)), 50, 'default/0')
  const faults = set(testFaults(), delayed(30))
  const among: number[] = []
  for (let index = 0; index < 50; index++) {
    struck(faults, 3, 'default/1')
    if (struck(faults, 1, 'default/0').length > 0) among.push(index)
  }
  t.same(among, alone)
})

t.test('a percentage is what it says', async (t) => {
  for (const percentage of [0.5, 10, 50, 99]) {
    const share = (struck(set(testFaults(), delayed(percentage)), 20_000).length / 20_000) * 100
    t.ok(Math.abs(share - percentage) < 1.5, `${share.toFixed(2)} for ${percentage}`)
  }
  t.equal(struck(set(testFaults(), delayed(0)), 1_000).length, 0)
  t.equal(struck(set(testFaults(), delayed(100)), 1_000).length, 1_000)
})

t.test('only what matches is struck, and all that is given must match', async (t) => {
  const strikes = (match: Fault['match'] & object, subject: object) =>
    set(testFaults(), delayed(100, { match })).strike('db', [subject], { of: 'x' }) !== null
  t.ok(strikes({ user: { exact: 'ada' } }, { user: 'ada' }))
  t.notOk(strikes({ user: { exact: 'ada' } }, { user: 'adam' }))
  t.notOk(strikes({ user: { exact: 'ada' } }, {}), 'what is not known matches nothing')
  t.ok(strikes({ user: { prefix: 'ad' } }, { user: 'adam' }))
  t.ok(strikes({ version: { regex: 'v[12]' } }, { version: 'v2' }))
  t.notOk(strikes({ version: { regex: 'v[12]' } }, { version: 'v23' }), 'an expression matches all of it')
  t.ok(strikes({ namespace: { exact: 'team' } }, { channel: '$team:room' }))
  t.ok(strikes({ namespace: { exact: '' } }, { channel: 'room' }))
  t.notOk(strikes({ namespace: { exact: 'team' }, user: { exact: 'ada' } }, { channel: 'team:room', user: 'bob' }))
  t.ok(
    set(testFaults(), delayed(100, { match: { user: { exact: 'bob' } } })).strike(
      'db',
      [{ user: 'ada' }, { user: 'bob' }],
      { of: 'x' },
    ),
    'a request that has one among others',
  )
})

t.test('a record is killed for once, and the same one with the same seed', async (t) => {
  const records: StruckRecord[] = Array.from({ length: 100 }, (_, offset) => ({ offset }))
  const kill = rule({ stage: 'worker.afterPoll', kill: { percentage: 5 } })
  const killing = (killed: number | null) =>
    set(testFaults(), kill).killing('worker.afterPoll', 'default/0', records, killed)?.offset
  const first = killing(null)!
  t.equal(killing(null), first)
  t.ok(killing(first)! > first, 'the next one comes after it')
  t.equal(testFaults().killing('worker.afterPoll', 'default/0', records, null), null)
})

t.test('a fault ends when its time is over, by the clock that only goes forward', async (t) => {
  const clock = new ManualClock()
  const metrics = createMetrics()
  const faults = set(testFaults({ clock, metrics }), delayed(100, { leftMs: 1_000 }), delayed(100, { name: 'stays' }))
  const active = async () => (await metrics.faultsActive.get()).values[0]!.value
  t.equal(await active(), 2)
  clock.advance(999)
  t.equal(await active(), 2)
  clock.advance(2)
  t.equal(await active(), 1)
  t.ok(faults.isSet)
  set(faults)
  t.notOk(faults.isSet)
  t.equal(await active(), 0)
})

t.test('one that is told again goes on where it was, and for as long as it is told', async (t) => {
  const clock = new ManualClock()
  const all = struck(set(testFaults(), delayed(30)), 100)
  const faults = set(testFaults({ clock }), delayed(30, { leftMs: 1_000 }))
  const first = struck(faults, 50)
  clock.advance(500)
  set(faults, delayed(30, { leftMs: 800 }))
  clock.advance(700)
  t.same([...first, ...struck(faults, 50).map((index) => index + 50)], all)
  clock.advance(200)
  t.notOk(faults.isSet)
})

t.test('what cannot be followed is rejected in one line, and what was set goes on', async (t) => {
  const faults = set(testFaults(), delayed(100))
  t.match(faults.set([delayed(100, { match: { user: { regex: '(' } } })]), /./)
  t.match(faults.set([{ name: 'f' } as unknown as Fault]), /stage/)
  t.equal(struck(faults, 1).length, 1)
  const off = testFaults({ isEnabled: false })
  t.match(off.set([delayed(100)]), /faults\.enabled/)
  t.notOk(off.isSet)
  t.equal(off.set([]), null, 'no faults are no reason to reject anything')
})

t.test('a request waits, dies, or is answered by nobody', async (t) => {
  const clock = new ManualClock()
  let kills = 0
  const faults = set(
    testFaults({ clock, kill: () => kills++ }),
    rule({ stage: 'produce', delay: { percentage: 100, fixedDelay: 70 }, abort: { percentage: 100 } }),
    rule({ name: 'g', stage: 'produce', kill: { percentage: 100 } }),
  )
  const before = clock.monotonic()
  const request = faults.request('produce', [{}], 'default/0', (message) => new Error(message))
  const settled = t.rejects(request, { message: 'fault f' })
  clock.advance(70)
  await settled
  t.equal(clock.monotonic() - before, 70)
  t.equal(kills, 1)
  await faults.request('db', [{}], 'default/0', () => new Error('never'))
})
