/**
 * Proves what is made of a Prometheus over a real connection: what it answers, that it is late, wrong, too large, away or
 * comes back; and that nobody waits for it.
 */
import t from 'tap'
import { Measurer } from '../../../controller/analysis/measurer.ts'
import { askPrometheus, prometheusBounds } from '../../../controller/analysis/prometheus.ts'
import type { MetricSpec } from '../../../controller/analysis/template.ts'
import { testEnv } from '../../harness/env.ts'
import { says, scalar, servePrometheus as serve, vector } from '../../support/prometheus-server.ts'
import type { Answer } from '../../support/prometheus-server.ts'
import { until } from '../../support/until.ts'

const env = testEnv()

void t.test('a vector gives its numbers, a scalar gives one', async (t) => {
  for (const [data, result] of [
    [vector('1', '2.5e-3'), [1, 0.0025]],
    [vector(), []],
    [vector('NaN', '+Inf', '-Inf'), [Number.NaN, Infinity, -Infinity]],
    [scalar('7'), 7],
  ] as const) {
    const { address } = await serve(t, says(data))
    t.strictSame(await askPrometheus(env, { address, query: 'up' }), { result })
  }
})

void t.test('the query comes as it was written, at the address that was given', async (t) => {
  const query = 'sum(rate(holdfast_commands_total{version="v2"}[1m])) + 1 & "ü"'
  const { address } = await serve(t, (response, asked, { url, method }) =>
    says(asked === query && url === '/prefix/api/v1/query' && method === 'POST' ? scalar('1') : scalar('0'))(
      response,
      '',
      null!,
    ),
  )
  for (const base of [`${address}/prefix`, `${address}/prefix/`])
    t.strictSame(await askPrometheus(env, { address: base, query }), { result: 1 })
})

void t.test('what is no answer is a problem, in one line', async (t) => {
  for (const [answer, problem] of [
    [says({ status: 'error', errorType: 'bad_data', error: 'parse error' }, 400), /refuses the query: parse error/],
    [says({ status: 'success', data: { resultType: 'matrix', result: [] } }), /not a matrix/],
    [says({ status: 'success', data: { resultType: 'vector', result: [{ value: [1, 'x'] }] } }), /no number/],
    [says({ status: 'success', data: { resultType: 'vector', result: [null] } }), /no number/],
    [says({}), /answers with 200/],
    [says('x', 404), /answers with 404/],
    [(response) => response.end('<html>'), /answers with 200/],
  ] as [Answer, RegExp][]) {
    const { address } = await serve(t, answer)
    t.match(await askPrometheus(env, { address, query: 'up' }), { problem })
  }
  for (const address of ['prometheus:9090', 'file:///etc/passwd', ''])
    t.match(await askPrometheus(env, { address, query: 'up' }), { problem: /no address/ })
})

void t.test(
  'a query is to blame only when Prometheus says that it cannot be read, or what it gives is no number',
  async (t) => {
    const refusal = (errorType: string) => ({ status: 'error', errorType, error: 'no' })
    for (const [answer, isWrong] of [
      [says(refusal('bad_data'), 400), true],
      [says({ status: 'success', data: { resultType: 'matrix', result: [] } }), true],
      [says({ status: 'success', data: { resultType: 'string', result: [0, 'x'] } }), true],
      [says(refusal('execution'), 422), false],
      [says(refusal('bad_data'), 500), false],
      [says({ error: 'bad_data' }, 400), false],
      [says({ status: 'success', data: {} }), false],
      [says({}, 404), false],
    ] as [Answer, boolean][]) {
      const { address } = await serve(t, answer)
      t.match(await askPrometheus(env, { address, query: 'up' }), { isWrong })
    }
  },
)

void t.test('of what a server says little is passed on, in one line, and nobody is sent on to another', async (t) => {
  const error = `line one\n\u001b[31mline two${'x'.repeat(1_000)}`
  const chatty = await serve(t, says({ status: 'error', errorType: 'bad_data', error }, 400))
  const answer = await askPrometheus(env, { address: chatty.address, query: 'up' })
  t.match(answer, { problem: /^Prometheus refuses the query: line one \[31mline twox+$/ })
  t.ok('problem' in answer && answer.problem.length < 350)
  const elsewhere = await serve(t, says(scalar('1')))
  const redirecting = await serve(t, (response) => {
    response.writeHead(307, { location: `${elsewhere.address}/api/v1/query` }).end('<html>')
  })
  t.match(await askPrometheus(env, { address: redirecting.address, query: 'up' }), { problem: /answers with 307$/ })
  t.equal(elsewhere.asked(), 0)
})

void t.test('what may pass is tried again, and not for ever', async (t) => {
  let failures = 2
  const passing = await serve(t, (response, ...rest) =>
    failures-- > 0 ? response.writeHead(503).end() : says(scalar('1'))(response, ...rest),
  )
  t.strictSame(await askPrometheus(env, { address: passing.address, query: 'up' }), { result: 1 })
  t.equal(passing.asked(), 3)
  const broken = await serve(t, (response) => response.destroy())
  t.match(await askPrometheus(env, { address: broken.address, query: 'up' }), { problem: /./ })
  t.equal(broken.asked(), prometheusBounds.tries)
  const wrong = await serve(t, says({ status: 'error', error: 'no' }, 400))
  await askPrometheus(env, { address: wrong.address, query: 'up' })
  t.equal(wrong.asked(), 1, 'a query that is wrong stays wrong')
  t.match(await askPrometheus(env, { address: 'http://127.0.0.1:1', query: 'up' }), { problem: /ECONNREFUSED/ })
})

void t.test('it has its time, with all attempts together, and its answer is bounded', async (t) => {
  const silent = await serve(t, () => {})
  t.match(await askPrometheus(env, { address: silent.address, query: 'up', timeout: 0.1 }), {
    problem: /no answer within 100 ms/,
  })
  const slow = await serve(t, (response) => response.write('{'))
  t.match(await askPrometheus(env, { address: slow.address, query: 'up', timeout: 0.1 }), { problem: /no answer/ })
  const huge = await serve(t, (response) => response.end(Buffer.alloc(prometheusBounds.answerBytes + 1, 32)))
  t.match(await askPrometheus(env, { address: huge.address, query: 'up' }), { problem: /more than/ })
})

const wanted = (spec: Omit<MetricSpec, 'name'>, key = 'r') => [
  { key, rollout: 'r', templates: [{ metrics: [{ ...spec, name: 'm' }] }], args: {}, stable: 'v1', canary: 'v2' },
]

void t.test('an analysis asks without making anybody wait, and one question at a time', async (t) => {
  let release = () => {}
  const { address, asked } = await serve(t, (response, ...rest) => {
    release = () => says(vector('0.5'))(response, ...rest)
  })
  const measurer = new Measurer(env)
  const runs = wanted({
    interval: '1ms',
    count: 2,
    successCondition: 'result[0] < 1',
    provider: { prometheus: { address, query: 'up' } },
  })
  const phase = () => measurer.look(runs).get('r')!
  t.equal(phase().phase, 'Running')
  await until('it is asked', () => asked() === 1)
  t.match(phase(), { phase: 'Running', isMeasured: false })
  t.equal(asked(), 1, 'not asked again while the answer is out')
  release()
  await until('it is measured', () => phase().isMeasured)
  await until('it is asked again', () => phase().phase === 'Running' && asked() === 2)
  release()
  await until('it is over', () => phase().phase === 'Successful')
  t.strictSame([...measurer.look([]).keys()], [], 'what is wanted no more is forgotten')
})

void t.test('no data and NaN pause, errors in a row end the analysis, and neither is ever good', async (t) => {
  for (const [answer, phase] of [
    [says(vector()), 'Inconclusive'],
    [says(vector('NaN')), 'Inconclusive'],
    [says(scalar('NaN')), 'Inconclusive'],
    [says({ status: 'error', error: 'no' }, 422), 'Error'],
    [says(vector('5')), 'Failed'],
  ] as [Answer, string][]) {
    const { address } = await serve(t, answer)
    const measurer = new Measurer(env)
    const runs = wanted({
      interval: '1ms',
      successCondition: 'len(result) == 0 || result[0] < 1',
      provider: { prometheus: { address, query: 'up' } },
    })
    const view = await until('it is over', () => {
      const seen = measurer.look(runs).get('r')!
      return seen.phase === 'Running' ? false : seen
    })
    t.match(view, { phase, isMeasured: false })
  }
})
