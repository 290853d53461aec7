/**
 * Proves that analyses go by what a real Prometheus says, and what becomes of them when it stops: they are not known to be
 * good, and never taken for it.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { freePort } from '../../../compose/services/free-port.ts'
import { Measurer } from '../../../controller/analysis/measurer.ts'
import type { RunView } from '../../../controller/analysis/measurer.ts'
import { askQueries } from '../../../controller/resources/ask-queries.ts'
import { createMetrics } from '../../../observability/metrics.ts'
import { testEnv } from '../../harness/env.ts'
import { ownPrometheus } from '../../support/own-prometheus.ts'
import { until } from '../../support/until.ts'

/** What a cluster would show of two versions, as it really shows it. */
const metrics = createMetrics()
const target = createServer((_, response) => void metrics.registry.metrics().then((page) => response.end(page)))
target.listen({ host: '127.0.0.1', port: 0 })
await once(target, 'listening')

t.teardown(() => {
  target.close()
  target.closeAllConnections()
})
const { port: targetPort } = target.address() as AddressInfo
await using prometheus = await ownPrometheus(`127.0.0.1:${targetPort}`, (line) => t.comment(line))
const { url } = prometheus
await prometheus.start()

const measurer = new Measurer(testEnv())
const rate = (version: string) => `rate(holdfast_commands_total{destination_version="${version}",result="error"}[2s])`

/** An analysis with one question, looked at until `isSo`. */
async function view(query: string, isSo: (view: RunView) => boolean): Promise<RunView> {
  const metric = {
    name: 'errors',
    interval: '50ms',
    successCondition: 'result[0] < 1',
    provider: { prometheus: { address: url, query, timeout: 1 } },
  }
  const templates = [{ args: [{ name: 'canary' }], metrics: [metric] }]
  const run = { key: query, rollout: 'r', templates, args: { canary: 'v2' }, stable: 'v1', canary: 'v2' }
  return until(
    `an answer to ${query}`,
    () => {
      const seen = measurer.look([run]).get(query)!
      return isSo(seen) ? seen : false
    },
    20_000,
  )
}

const isOver = ({ phase }: RunView) => phase !== 'Running'

await t.test('a query that finds nothing, or no number, is inconclusive', async (t) => {
  t.match(await view('holdfast_no_such_metric{version="{{args.canary}}"}', isOver), {
    phase: 'Inconclusive',
    message: /no data/,
  })
  t.match(await view('scalar(holdfast_no_such_metric)', isOver), { phase: 'Inconclusive', message: /no number/ })
})

await t.test('one that it cannot read is an error, and not a success', async (t) => {
  t.match(await view('sum(', isOver), { phase: 'Error', message: /refuses the query/ })
})

await t.test(
  'queries are tried when they are applied: what it cannot read is an error, what finds nothing is said',
  async (t) => {
    const tried = (query: string, address = url) =>
      askQueries(testEnv(), [{ resource: 'r', path: [], metric: 'm', question: { address, query }, isWhole: true }])
    t.same(await tried('vector(1)'), [])
    t.match(await tried('sum('), [{ code: 'HFT0305', message: /refuses the query: .*parse error/ }])
    t.match(await tried('holdfast_no_such_metric[1m]'), [{ code: 'HFT0305', message: /not a matrix/ }])
    t.match(await tried('holdfast_no_such_metric'), [{ code: 'HFT0307' }])
    t.match(await tried('vector(1) + on(x) (label_replace(vector(1), "y", "1", "", "") or vector(2))'), [
      { code: 'HFT0306', message: /refuses the query/ },
    ])
    t.match(await tried('vector(1)', `http://127.0.0.1:${await freePort()}`), [{ code: 'HFT0306' }])
  },
)

await t.test('a canary that errs fails, the stable version beside it does not', async (t) => {
  const errors = setInterval(() => {
    metrics.commands.inc({ method: 'publish', destination_version: 'v2', result: 'error' })
    metrics.commands.inc({ method: 'publish', destination_version: 'v1', result: 'error' }, 0)
  }, 20)
  const scraped = (version: string) =>
    until(
      'it is scraped',
      async () => {
        const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(rate(version))}`)
        const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
        return data.result.length > 0 && (version === 'v1' || Number(data.result[0]!.value[1]) > 2)
      },
      20_000,
    )
  try {
    await Promise.all([scraped('v1'), scraped('v2')])
    t.match(await view(rate('{{args.canary}}'), isOver), { phase: 'Failed', message: /result/ })
    t.match(await view(rate('v1'), ({ isMeasured }) => isMeasured), { phase: 'Running' })
  } finally {
    clearInterval(errors)
  }
})

await t.test(
  'when it freezes or is away, an analysis ends as an error; when it is back, the next goes on',
  async (t) => {
    prometheus.freeze()
    t.match(await view('vector(0)', isOver), { phase: 'Error', isMeasured: false, message: /no answer within/ })
    prometheus.thaw()
    t.match(await view('vector(0.5)', ({ isMeasured }) => isMeasured), { phase: 'Running' })
    await prometheus.stop()
    t.match(await view('vector(0.5)', isOver), { phase: 'Error', message: /ECONNREFUSED/ }, 'under way, it ends too')
    t.match(await view('vector(0.25)', isOver), { phase: 'Error', isMeasured: false })
    await prometheus.start()
    t.match(await view('vector(0.125)', ({ isMeasured }) => isMeasured), { phase: 'Running' })
  },
)
