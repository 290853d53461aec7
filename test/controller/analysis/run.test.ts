/**
 * Proves that an analysis follows the rules of Argo Rollouts: when a metric is due, what measurements come to, and that no
 * data and no number pause and never promote.
 */
import t from 'tap'
import type { AnalysisError } from '../../../controller/analysis/errors.ts'
import {
  assess,
  dueMetrics,
  endRun,
  errorDefaults,
  noteMeasurement,
  outcomeOf,
  startRun,
} from '../../../controller/analysis/run.ts'
import type { AnalysisRun, Measurement } from '../../../controller/analysis/run.ts'
import type { MetricSpec } from '../../../controller/analysis/template.ts'

const prometheus = { address: 'http://p:9090', query: 'up' }
const metric = (more: Partial<MetricSpec> = {}): MetricSpec => ({ name: 'm', provider: { prometheus }, ...more })
const start = (...metrics: MetricSpec[]): AnalysisRun => startRun([{ metrics }], {})
const measured = (phase: Measurement['phase']): Measurement => ({ phase, value: '1', message: 'why' })

/** A run of one metric after these measurements, one each second. */
function after(spec: Partial<MetricSpec>, ...phases: Measurement['phase'][]): AnalysisRun {
  return phases.reduce(
    (run, phase, second) => noteMeasurement(run, 'm', measured(phase), second * 1_000),
    start(metric({ interval: '1s', ...spec })),
  )
}

void t.test('a metric is measured after its delay, then at its interval, as often as it says', async (t) => {
  let run = start(metric({ initialDelay: '5s', interval: '2s', count: 2 }))
  const due = (atMs: number) => dueMetrics(run, atMs).map(({ name }) => name)
  t.strictSame([due(4_999), due(5_000)], [[], ['m']])
  run = noteMeasurement(run, 'm', measured('Successful'), 5_500)
  t.strictSame([due(7_499), due(7_500)], [[], ['m']])
  run = noteMeasurement(run, 'm', measured('Successful'), 7_600)
  t.equal(run.phase, 'Successful')
  t.strictSame(due(60_000), [])
})

void t.test('without an interval there is one measurement; after an error it is tried again later', async (t) => {
  t.equal(noteMeasurement(start(metric()), 'm', measured('Successful'), 0).phase, 'Successful')
  const run = noteMeasurement(start(metric()), 'm', measured('Error'), 100)
  t.equal(run.phase, 'Running')
  t.strictSame(dueMetrics(run, errorDefaults.retryMs), [])
  t.equal(dueMetrics(run, 100 + errorDefaults.retryMs).length, 1)
})

void t.test('without a count a metric goes on until its run is ended', async (t) => {
  const run = after({}, ...Array.from({ length: 50 }, () => 'Successful' as const))
  t.equal(run.phase, 'Running')
  t.equal(endRun(run).phase, 'Successful')
  t.equal(endRun(after({}, 'Failed')).phase, 'Failed')
})

void t.test('what was good and can be measured no more is not known to be good, until it can again', async (t) => {
  const isMeasured = (...phases: Measurement['phase'][]) =>
    outcomeOf(after({ inconclusiveLimit: 2, failureLimit: 2 }, ...phases)).isMeasured
  t.notOk(isMeasured())
  t.ok(isMeasured('Successful'))
  t.notOk(isMeasured('Successful', 'Error'))
  t.notOk(isMeasured('Successful', 'Inconclusive'))
  t.ok(isMeasured('Successful', 'Error', 'Successful'))
  t.ok(isMeasured('Successful', 'Failed'), 'a failure within its limit is a measurement')
})

void t.test('limits are exceeded by one more', async (t) => {
  t.match(after({}, 'Failed'), { phase: 'Failed', message: 'm: why' })
  t.equal(after({ failureLimit: 2 }, 'Failed', 'Failed').phase, 'Running')
  t.equal(after({ failureLimit: 2 }, 'Failed', 'Successful', 'Failed', 'Failed').phase, 'Failed')
  t.equal(after({}, 'Inconclusive').phase, 'Inconclusive')
  t.equal(after({ inconclusiveLimit: 1 }, 'Inconclusive').phase, 'Running')
  t.equal(after({ inconclusiveLimit: 1 }, 'Inconclusive', 'Inconclusive').phase, 'Inconclusive')
})

void t.test('errors count in a row, and four are none', async (t) => {
  t.equal(after({}, 'Error', 'Error', 'Error', 'Error').phase, 'Running')
  t.equal(after({}, 'Error', 'Error', 'Error', 'Error', 'Error').phase, 'Error')
  t.equal(after({}, 'Error', 'Error', 'Error', 'Successful', 'Error', 'Error').phase, 'Running')
  t.equal(after({ consecutiveErrorLimit: 0 }, 'Error').phase, 'Error')
})

void t.test('an error does not count as a measurement', async (t) => {
  t.equal(after({ count: 2 }, 'Successful', 'Error').phase, 'Running')
  t.equal(after({ count: 2 }, 'Successful', 'Error', 'Successful').phase, 'Successful')
})

void t.test('a run is over with the first metric that ends badly, and good once all are', async (t) => {
  const [a, b] = [metric({ name: 'a' }), metric({ name: 'b', interval: '1s', count: 2 })]
  const run = noteMeasurement(start(a, b), 'a', measured('Successful'), 0)
  t.equal(run.phase, 'Running')
  t.equal(noteMeasurement(run, 'b', measured('Failed'), 0).phase, 'Failed')
  const twice = noteMeasurement(noteMeasurement(run, 'b', measured('Successful'), 0), 'b', measured('Successful'), 1)
  t.equal(twice.phase, 'Successful')
  t.equal(noteMeasurement(twice, 'b', measured('Failed'), 2), twice, 'what is over stays as it is')
  t.equal(start().phase, 'Successful', 'nothing to measure is nothing to fear')
})

void t.test('a success condition alone makes all else a failure; with both there is a part between', async (t) => {
  const phase = (result: number | number[], conditions: Partial<MetricSpec>) => assess(metric(conditions), result).phase
  t.equal(phase([1], {}), 'Successful')
  t.equal(phase([1], { successCondition: 'result[0] < 2' }), 'Successful')
  t.equal(phase([3], { successCondition: 'result[0] < 2' }), 'Failed')
  t.equal(phase([3], { failureCondition: 'result[0] > 2' }), 'Failed')
  t.equal(phase([1], { failureCondition: 'result[0] > 2' }), 'Successful')
  const both = { successCondition: 'result < 1.2', failureCondition: 'result > 1.5' }
  t.strictSame([phase(1, both), phase(1.3, both), phase(2, both)], ['Successful', 'Inconclusive', 'Failed'])
  t.equal(phase([1], { successCondition: 'result[7] < 2' }), 'Error')
})

void t.test('no data and no number are inconclusive, whatever the conditions say', async (t) => {
  for (const conditions of [
    {},
    { successCondition: 'true' },
    { successCondition: 'len(result) == 0 || result[0] == 0' },
    { failureCondition: 'false' },
    { failureCondition: 'true' },
  ]) {
    const spec = metric({ interval: '1s', ...conditions })
    for (const result of [[], [Number.NaN], [1, Number.NaN], Number.NaN]) {
      const measurement = assess(spec, result)
      t.equal(measurement.phase, 'Inconclusive')
      t.equal(noteMeasurement(start(spec), 'm', measurement, 0).phase, 'Inconclusive', 'which pauses at once')
    }
  }
})

void t.test('what cannot be measured as it is written does not begin', async (t) => {
  const refused = (code: AnalysisError['code'], ...metrics: MetricSpec[]) =>
    t.throws(() => start(...metrics), { name: 'AnalysisError', code })
  refused('bad_metric', metric(), metric())
  refused('bad_metric', metric({ provider: {} }))
  refused('bad_metric', metric({ provider: { prometheus, rooms: {} } }))
  refused('bad_metric', metric({ interval: 'soon' }))
  refused('bad_condition', metric({ successCondition: 'result <' }))
  refused('bad_condition', metric({ provider: { rooms: {} }, successCondition: 'true' }))
})

void t.test('a run is plain data: what the store gives back goes on as it was', async (t) => {
  const run = after({}, 'Successful', 'Error')
  t.strictSame(JSON.parse(JSON.stringify(run)), run)
})
