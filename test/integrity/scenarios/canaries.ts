/** Canaries that are rolled out by themselves, with the built-in counters alone: good ones come through, bad ones do not. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { Fleet } from '../../harness/clients/fleet.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { until } from '../../support/until.ts'

const fixtures = new URL('../../harness/fixtures/canaries/', import.meta.url)

interface RolloutView {
  phase: string
  reason: string
  message: string
  canary: string
  slots: { byVersion: Record<string, number> }
}

/** A canary of these tests. */
export interface Canary {
  /** Its version too. */
  name: string
  /** A file of `test/harness/fixtures/canaries`; the chat itself without it. */
  app?: string
  /** It is through, or rolled back, within this. */
  deadlineMs: number
  /** Clients are told what is not so: the checker must find that, too. */
  isSeen?: true
}

/** A canary that is as good as what it replaces serves in the end. */
export async function comesThrough(t: Test, cluster: Cluster, canary: Canary): Promise<void> {
  await underLoad(t, cluster, canary.name, async (fleet) => {
    const view = await rollOut(t, cluster, canary, '15s', ({ phase, message }) => {
      if (phase === 'Degraded' || phase === 'Paused') throw new Error(message)
      return phase === 'Healthy'
    })
    t.strictSame(Object.keys(view.slots.byVersion), [canary.name])
    await fleet.flows()
  })
}

/** A bad canary is found and rolled back unattended; what it leaves behind is as if it had never been. */
export async function isRolledBack(t: Test, cluster: Cluster, canary: Canary): Promise<void> {
  const faults = async (fleet: Fleet): Promise<void> => {
    const hasLeft = ({ phase, slots }: RolloutView) => phase === 'Degraded' && !slots.byVersion[canary.name]
    await rollOut(t, cluster, canary, '10m', hasLeft)
    await fleet.flows()
  }
  if (canary.isSeen === undefined) return underLoad(t, cluster, canary.name, faults)
  using fleet = await Fleet.start({ urls: cluster.socketUrls, name: canary.name })
  fleet.startLoad()
  await fleet.flows()
  await faults(fleet)
  await fleet.healed()
  t.match(await fleet.verdict(), /durable before visible/)
}

/** Gives a canary 25 % of the slots for a while, until `isOver`; tells how long that took and which rooms were harmed. */
async function rollOut(
  t: Test,
  cluster: Cluster,
  { name, app, deadlineMs }: Canary,
  pause: string,
  isOver: (view: RolloutView) => boolean,
): Promise<RolloutView> {
  const path = app === undefined ? 'chat' : fileURLToPath(new URL(`${app}.ts`, fixtures))
  const own = { HOLDFAST_WORKER_VERSION: name, HOLDFAST_WORKER_APP: path }
  const startedAt = performance.now()
  const canary = {
    canaryService: name,
    abortScaleDownDelaySeconds: 1,
    steps: [{ setWeight: 25 }, { pause: { duration: pause } }],
  }
  const spec = { strategy: { canary } }
  const resource = { apiVersion: 'holdfast.dev/v1', kind: 'Rollout', metadata: { name: 'chat' }, spec }
  await using _worker = await cluster.keepWorker(own)
  await request(cluster, 'POST', 'resources', { resources: [resource] })
  const view = await until(
    `an end of ${name}`,
    async () => {
      const seen = await request<RolloutView>(cluster, 'GET', 'rollouts/chat')
      return seen.canary === name && isOver(seen) && seen
    },
    deadlineMs,
  )
  const bad = await request<unknown[]>(cluster, 'GET', 'rollouts/chat/rooms?verdict=bad')
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  t.comment(`${name}: ${view.phase} after ${seconds} s, ${bad.length} rooms named: ${view.message}`)
  return view
}

async function request<T>(cluster: Cluster, method: 'GET' | 'POST', what: string, body?: unknown): Promise<T> {
  const token = readFileSync(join(cluster.dataDirectory, 'controller.token'), 'utf8').trim()
  const response = await fetch(`http://127.0.0.1:${cluster.controllerPort}/api/v1/${what}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(5_000),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${what}: ${response.status} ${text}`)
  return JSON.parse(text) as T
}
