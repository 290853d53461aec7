/** Proves how the counters of processes become those of versions, whoever comes, goes or is heard of late. */
import t from 'tap'
import { VersionTotals, newBeatsMax, versionsMax } from '../../../controller/analysis/version-totals.ts'
import { proxyBeat, published, workerBeat } from '../beats.ts'

void t.test('what the workers of a version did is one sum, and stays when they are gone', async (t) => {
  const totals = new VersionTotals()
  totals.heard(workerBeat('w-1', 'v2', { counters: published({ commands: 5, errors: 1 }, { batch: [0, 5] }) }), 1)
  totals.heard(workerBeat('w-2', 'v2', { counters: published({ commands: 3 }, { batch: [3] }) }), 1)
  totals.heard(workerBeat('w-1', 'v2', { counters: published({ commands: 9, errors: 2 }, { batch: [0, 6, 3] }) }), 2)
  totals.forget('w-1')
  t.match(totals.of('v2'), { commands: 12, errors: 2, batch: [3, 6, 3] })
  t.match(totals.of('v2').methods.get('publish'), { commands: 12, errors: 2 })
  t.match(totals.of('v1'), { commands: 0 })
  t.equal(totals.heardAt('v2'), 2)
  t.equal(totals.heardAt('v1'), null)
})

void t.test('what a process did before it was first heard is not news, unless it has just begun', async (t) => {
  const totals = new VersionTotals()
  const long = { beat: newBeatsMax + 1 }
  totals.heard(workerBeat('w-1', 'v1', { ...long, counters: published({ commands: 1_000 }) }), 1)
  totals.heard(proxyBeat('p-1', { ...long, violations: { v1: 3 } }), 1)
  t.match(totals.of('v1'), { commands: 0, violations: 0 })
  totals.heard(workerBeat('w-1', 'v1', { ...long, counters: published({ commands: 1_001 }) }), 1)
  totals.heard(proxyBeat('p-1', { ...long, violations: { v1: 4, v2: 1 } }), 1)
  t.match(totals.of('v1'), { commands: 1, violations: 1 })
  t.match(totals.of('v2'), { violations: 1 })
  t.equal(totals.heardAt('v2'), null, 'what a proxy says of a version does not mean that it is there')
})

void t.test('violations are those that workers and proxies find; workers that end without a word count', async (t) => {
  const totals = new VersionTotals()
  totals.heard(workerBeat('w-1', 'v1', { counters: published({}, { violations: 2 }) }), 1)
  totals.heard(proxyBeat('p-1', { violations: { v1: 3 } }), 1)
  totals.crashed('v1')
  t.match(totals.of('v1'), { violations: 5, crashes: 1 })
})

void t.test('processes of an older version, which say nothing, count for nothing', async (t) => {
  const totals = new VersionTotals()
  totals.heard(workerBeat('w-1', 'v1'), 1)
  totals.heard(proxyBeat('p-1'), 1)
  t.equal(totals.heardAt('v1'), null)
})

void t.test('versions are bounded', async (t) => {
  const totals = new VersionTotals()
  for (let version = 0; version <= versionsMax; version++) totals.crashed(`v${version}`)
  t.equal(totals.of('v0').crashes, 0)
  t.equal(totals.of('v1').crashes, 1)
})
