/** Rollouts of tests with real processes: what is applied, and what operators see of it by the API of a controller. */
import type { Test } from 'tap'
import type { RolloutView } from '../../../controller/rollouts/view.ts'
import { until } from '../../support/until.ts'
import type { Api, WorkerView } from './api.ts'
import type { Cluster } from './cluster.ts'

/** As a Rollout has it. */
export type Step = Record<string, unknown>

/** What is applied. */
export interface RolloutResource {
  apiVersion: string
  kind: 'Rollout'
  metadata: { name: string }
  spec: object
}

/** The API of a controller, or a cluster with one. */
type Reader = Pick<Api, 'read'>

/** A Rollout of v2 without analysis; workers are kept for as long as a test lasts. */
export function rolloutOf(name: string, steps: Step[], more: object = {}): RolloutResource {
  const canary = { canaryService: 'v2', steps, analysis: { templates: [] }, scaleDownDelaySeconds: 600, ...more }
  return { apiVersion: 'holdfast.dev/v1', kind: 'Rollout', metadata: { name }, spec: { strategy: { canary } } }
}

/** From now on an owner has something to finish before it lets go: a test can meet a rollout on its way. */
export async function slowHandoffs(api: Pick<Api, 'send'>): Promise<void> {
  const delay = { percentage: { value: 100 }, fixedDelay: '60ms' }
  await api.send('PUT', 'faults/slow-commits', { stage: 'worker.beforeCommit', delay, expiresAfter: '30m' })
}

/** How a rollout is. */
export async function rolloutView(api: Reader, name: string): Promise<RolloutView> {
  return api.read<RolloutView>(`rollouts/${name}`)
}

/** Waits for the pause at a weight; what slots there are is within one of it. */
export async function pausedAt(t: Test, api: Reader, name: string, weight: number, canary = 'v2'): Promise<void> {
  const view = await until(`${name} to be paused at ${weight} %`, async () => {
    const seen = await rolloutView(api, name).catch(() => null)
    return seen?.reason === 'CanaryPauseStep' && seen.weights.desired[canary] === weight && seen
  })
  const { slots } = view
  const had = slots.byVersion[canary] ?? 0
  t.ok(
    Math.abs(had - (slots.total * weight) / 100) <= 1,
    `${had} of ${slots.total} slots are within one of ${weight} %`,
  )
}

/** Waits until a version serves. */
export async function healthy(api: Reader, name: string, version: string): Promise<void> {
  await until(`${name} to be Healthy at ${version}`, async () => {
    const { phase, stable } = await rolloutView(api, name)
    return phase === 'Healthy' && stable === version
  })
}

/** Waits until every slot is back after an abort. */
export async function returned(api: Reader, name: string): Promise<void> {
  await until(`${name} to have given all slots back`, () => isEnded(api, name))
}

async function isEnded(api: Reader, name: string): Promise<boolean> {
  const view = await rolloutView(api, name).catch(() => null)
  return view?.phase === 'Degraded' && view.endedAt !== null
}

/** Live workers of a version. */
export async function workersOf(api: Reader, version: string): Promise<number> {
  const workers = await api.read<WorkerView[]>('workers')
  return workers.filter((worker) => worker.version === version && worker.state === 'live').length
}

/** Two workers of v2, for as long as it is in use. */
export class Canary implements AsyncDisposable {
  readonly #workers: ReturnType<Cluster['start']>[]

  private constructor(cluster: Cluster) {
    this.#workers = [0, 1].map(() => cluster.start('worker', '--version', 'v2'))
  }

  static async start(cluster: Cluster): Promise<Canary> {
    const canary = new Canary(cluster)
    await until('two workers of v2', async () => (await workersOf(cluster, 'v2')) === 2)
    return canary
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()))
  }
}
