import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { Canary, healthy, pausedAt, returned, rolloutOf, rolloutView } from '../../harness/processes/rollout.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { ownPrometheus } from '../../support/own-prometheus.ts'
import type { OwnServer } from '../../support/own-server.ts'
import { until } from '../../support/until.ts'

/** Rollout of this scenario. */
const name = 'judged'

/** What Prometheus read last: on a busy machine it misses the page now and then, which says nothing of a version. */
const judged = (labels: string): string => `last_over_time(judged${labels}[5s])`

/** Measurements in vain that show that a rollout waits for the next one. */
const errorsMin = 3

/** A Prometheus that is away, says nothing or hangs promotes nobody, and a rollout goes on when it is back. Begins and ends with v1. */
export function prometheusAwayScenario(t: Test, cluster: Cluster): void {
  void t.test('Prometheus is away while a rollout goes by what it says', async (t) => {
    await using page = await Page.start()
    await using prometheus = await ownPrometheus(page.address, (line) => t.comment(line))
    await prometheus.start()
    await reads(prometheus, page, '1')
    await using v2 = await Canary.start(cluster)
    void v2
    await underLoad(t, cluster, 'prometheus-away', async (fleet) => {
      await cluster.applied(
        templateOf('patient', prometheus.url, { consecutiveErrorLimit: 1_000, inconclusiveLimit: 1_000 }),
      )
      await cluster.applied(templateOf('usual', prometheus.url))

      await roll(cluster, 'v2', 'patient')
      await pausedAt(t, cluster, name, 50)
      await until('it was good', async () => (await measurements(cluster, 'Successful')) > 0)
      await prometheus.stop()
      fleet.note('stopped Prometheus')
      await waitsInVain(cluster)
      await cluster.send('POST', `rollouts/${name}/promote`, {})
      await waitsInVain(cluster)
      t.match(await rolloutView(cluster, name), {
        phase: 'Progressing',
        stable: 'v1',
        weights: { desired: { v2: 50 } },
      })
      await prometheus.start()
      await healthy(cluster, name, 'v2')
      t.pass('it goes on when Prometheus is back')

      await reads(prometheus, page, 'NaN')
      await roll(cluster, 'v1', 'usual')
      await shows(cluster, 'InconclusiveAnalysisRun')
      t.match(await rolloutView(cluster, name), { phase: 'Paused', stable: 'v2', canary: 'v1' })
      await reads(prometheus, page, null)
      await cluster.send('POST', `rollouts/${name}/promote`, {})
      await shows(cluster, 'InconclusiveAnalysisRun')
      t.match(await rolloutView(cluster, name), { phase: 'Paused', stable: 'v2', message: /no data/ })
      await reads(prometheus, page, '1')
      await cluster.send('POST', `rollouts/${name}/promote`, {})
      await pausedAt(t, cluster, name, 50, 'v1')
      await cluster.send('POST', `rollouts/${name}/promote`, {})
      await healthy(cluster, name, 'v1')
      t.pass('no number and no data hold it until a person goes on')

      await roll(cluster, 'v2', 'usual')
      await pausedAt(t, cluster, name, 50)
      prometheus.freeze()
      const frozenAt = performance.now()
      try {
        await shows(cluster, 'AnalysisRunFailed', 30_000)
        await returned(cluster, name)
        t.pass(`rolled back ${((performance.now() - frozenAt) / 1_000).toFixed(1)} s after Prometheus froze`)
      } finally {
        prometheus.thaw()
      }
      await reads(prometheus, page, '1')
      await cluster.send('POST', `rollouts/${name}/retry`, {})
      await pausedAt(t, cluster, name, 50)
      await cluster.send('POST', `rollouts/${name}/promote`, {})
      await healthy(cluster, name, 'v2')
      await cluster.send('POST', `rollouts/${name}/undo`, {})
      await cluster.send('POST', `rollouts/${name}/promote`, { full: true })
      await healthy(cluster, name, 'v1')
      t.ok(fleet.clear, 'no command missed its answer')
    })
  })
}

/** Half of the slots go to a version, which a template is asked about from then on. */
async function roll(cluster: Cluster, version: string, templateName: string): Promise<void> {
  const canary = { canaryService: version, analysis: { templates: [{ templateName }] } }
  await cluster.applied(rolloutOf(name, [{ setWeight: 50 }, { pause: {} }], canary))
}

function templateOf(template: string, address: string, more: object = {}): object {
  const query = judged('{version="{{args.canary}}"}')
  const metric = {
    name: 'judged',
    interval: '300ms',
    successCondition: 'result[0] == 1.0',
    provider: { prometheus: { address, query, timeout: 1 } },
    ...more,
  }
  return {
    apiVersion: 'holdfast.dev/v1',
    kind: 'AnalysisTemplate',
    metadata: { name: template },
    spec: { args: [{ name: 'canary' }], metrics: [metric] },
  }
}

/** From now on the page says something else, which Prometheus has read. */
async function reads({ url }: OwnServer, page: Page, says: string | null): Promise<void> {
  page.says = says
  await until(`Prometheus to read ${says}`, async () => {
    const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(judged(''))}`)
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
    const values = data.result.map(({ value }) => value[1])
    return says === null ? values.length === 0 : values.length > 0 && values.every((value) => value === says)
  })
}

/** Waits until more measurements than a few were errors, from now on. */
async function waitsInVain(cluster: Cluster): Promise<void> {
  const before = await measurements(cluster, 'Error')
  await until('more errors', async () => (await measurements(cluster, 'Error')) >= before + errorsMin)
}

function measurements(cluster: Cluster, phase: string): Promise<number> {
  return cluster.counter(`holdfast_analysis_measurements_total{phase="${phase}"}`)
}

async function shows(cluster: Cluster, reason: string, deadlineMs?: number): Promise<void> {
  await until(`it to be ${reason}`, async () => (await rolloutView(cluster, name)).reason === reason, deadlineMs)
}

/** What Prometheus reads: a judgement of each version, or none. */
class Page implements AsyncDisposable {
  says: string | null = '1'
  readonly #server: Server

  private constructor() {
    this.#server = createServer((_, response) => {
      const lines = ['v1', 'v2'].map((version) => `judged{version="${version}"} ${this.says}\n`)
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
      response.end(this.says === null ? '' : `# TYPE judged gauge\n${lines.join('')}`)
    })
  }

  static async start(): Promise<Page> {
    const page = new Page()
    page.#server.listen(0, '127.0.0.1')
    await once(page.#server, 'listening')
    return page
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
