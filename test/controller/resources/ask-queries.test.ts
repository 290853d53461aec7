/** What is said of queries that are tried: refused when they are wrong, and never because no Prometheus answers. */
import t from 'tap'
import { prometheusBounds } from '../../../controller/analysis/prometheus.ts'
import { askQueries, triedBounds } from '../../../controller/resources/ask-queries.ts'
import type { Query } from '../../../controller/resources/queries.ts'
import { testEnv } from '../../harness/env.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { says, scalar, servePrometheus, vector } from '../../support/prometheus-server.ts'
import { until } from '../../support/until.ts'

const env = testEnv()
const query = (address: string, more: Partial<Query> = {}, text = 'up'): Query => ({
  resource: 'AnalysisTemplate/latency',
  path: ['spec', 'metrics', 0, 'provider', 'prometheus', 'query'],
  metric: 'p99',
  question: { address, query: text },
  isWhole: false,
  ...more,
})
const path = 'spec.metrics[0].provider.prometheus.query'

void t.test('one that does not parse is an error, at its place', async (t) => {
  const { address } = await servePrometheus(
    t,
    says({ status: 'error', errorType: 'bad_data', error: 'parse error: unclosed left parenthesis' }, 400),
  )
  t.strictSame(await askQueries(env, [query(address)]), [
    {
      code: 'HFT0305',
      severity: 'error',
      resource: 'AnalysisTemplate/latency',
      path,
      message: 'p99: Prometheus refuses the query: parse error: unclosed left parenthesis',
    },
  ])
})

void t.test('one that nobody answers is a warning: resources can be applied meanwhile', async (t) => {
  const [refused] = await askQueries(env, [query('http://127.0.0.1:1')])
  t.match(refused, { code: 'HFT0306', severity: 'warning', path, message: /^p99: .*ECONNREFUSED/ })
  const broken = await servePrometheus(t, (response) => response.writeHead(500).end('<html>a long story</html>'))
  t.match(await askQueries(env, [query(broken.address)]), [
    { code: 'HFT0306', message: 'p99: Prometheus answers with 500' },
  ])
  t.equal(broken.asked(), prometheusBounds.tries)
})

void t.test('one that finds nothing is a warning, unless that may be for its arguments', async (t) => {
  const { address } = await servePrometheus(t, says(vector()))
  t.match(await askQueries(env, [query(address, { isWhole: true })]), [{ code: 'HFT0307', severity: 'warning', path }])
  t.same(await askQueries(env, [query(address)]), [])
  const full = await servePrometheus(t, says(scalar('NaN')))
  t.same(await askQueries(env, [query(full.address, { isWhole: true })]), [])
})

void t.test('few are asked at a time, and many not at all', async (t) => {
  let open = 0
  let most = 0
  const held: (() => void)[] = []
  const { address, asked } = await servePrometheus(t, (response, ...rest) => {
    most = Math.max(most, ++open)
    held.push(() => {
      open--
      says(scalar('1'))(response, ...rest)
    })
  })
  const queries = Array.from({ length: triedBounds.queries + 3 }, (_, index) => query(address, {}, `up + ${index}`))
  const findings = askQueries(testEnv({ clock: new ManualClock() }), queries)
  for (let answered = 0; answered < triedBounds.queries; answered++) {
    await until('one is asked', () => held.length > 0)
    if (answered === 0) await until('as many as may', () => open === triedBounds.parallel)
    held.shift()!()
  }
  t.match(await findings, [{ code: 'HFT0306', message: /^3 queries are not tried/ }])
  t.equal(most, triedBounds.parallel)
  t.equal(asked(), triedBounds.queries)
})

void t.test('all of them together have a time', async (t) => {
  const silent = await servePrometheus(t, () => {})
  const queries = Array.from({ length: triedBounds.parallel + 1 }, (_, index) =>
    query(silent.address, {}, `up + ${index}`),
  )
  const clock = new ManualClock()
  const asking = askQueries(testEnv({ clock }), queries)
  await until('as many as may are asked', () => silent.asked() === triedBounds.parallel)
  clock.advance(triedBounds.totalMs)
  const findings = await asking
  t.equal(findings.length, queries.length)
  t.ok(findings.every(({ code }) => code === 'HFT0306'))
  t.match(findings.at(-1), { message: /took all of the time/ })
  t.equal(silent.asked(), triedBounds.parallel)
})
