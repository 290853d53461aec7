/**
 * Proves what is made of a Prometheus over a real connection: what it answers, that it is late, wrong, too large, away or
 * comes back; and that nobody waits for it.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type { Test } from 'tap'
import { Measurer } from '../../../controller/analysis/measurer.ts'
import { askPrometheus, prometheusBounds } from '../../../controller/analysis/prometheus.ts'
import type { MetricSpec } from '../../../controller/analysis/template.ts'
import { testEnv } from '../../harness/env.ts'
import { until } from '../../support/until.ts'

type Answer = (response: ServerResponse, query: string, request: IncomingMessage) => void

/** A server that answers as Prometheus does, and counts how often it was asked. */
async function serve(t: Test, answer: Answer): Promise<{ address: string; asked: () => number }> {
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    void text(request).then((body) => answer(response, new URLSearchParams(body).get('query')!, request))
  }).listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked }
}

const says =
  (data: unknown, status = 200): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(data))

const vector = (...values: string[]) => ({
  status: 'success',
  data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1_700_000_000.1, value] })) },
})
const scalar = (value: string) => ({
  status: 'success',
  data: { resultType: 'scalar', result: [1_700_000_000, value] },
})

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
