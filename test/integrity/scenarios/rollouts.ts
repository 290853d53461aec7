import type { Test } from 'tap'
import type { RolloutReport } from '../../../controller/rollouts/report.ts'
import { crashesMax } from '../../../controller/rollouts/step.ts'
import { exitCodes } from '../../../platform/exit-codes.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import {
  Canary,
  healthy,
  pausedAt,
  returned,
  rolloutOf,
  rolloutView,
  workersOf,
} from '../../harness/processes/rollout.ts'
import type { Step } from '../../harness/processes/rollout.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { until } from '../../support/until.ts'

/** What an operator is promised: every slot is where it should be within this, for 16 of them. */
const settleMaxMs = 10_000

/** Rollouts under load: no client notices any of it. Every scenario begins and ends with v1, the cluster's own version. */
export function rolloutScenarios(t: Test, cluster: Cluster): void {
  void t.test('v1 → v2 through 10, 50 and 100 %, undo after that, and a restart', (t) => wholeWay(t, cluster))
  void t.test('abort at 50 %, promotion in full, and abort in mid hand-off', (t) => abortAndPromote(t, cluster))
  void t.test('a canary that crashes on its start again and again', (t) => crashLoop(t, cluster))
}

async function wholeWay(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'rollout', async (fleet) => {
    await using v2 = await Canary.start(cluster)
    void v2
    await apply(cluster, 'whole', [{ setWeight: 10 }, { pause: {} }, { setWeight: 50 }, { pause: {} }])
    await pausedAt(t, cluster, 'whole', 10)
    await fleet.flows()
    await order(cluster, 'promote', 'whole')
    await pausedAt(t, cluster, 'whole', 50)
    await fleet.flows()
    await order(cluster, 'promote', 'whole')
    await healthy(cluster, 'whole', 'v2')
    t.ok((await cluster.slots()).every(({ version }) => version === 'v2'))
    await fleet.flows()
    await order(cluster, 'undo', 'whole')
    await pausedAt(t, cluster, 'whole', 10, 'v1')
    await order(cluster, 'promote', 'whole', '--full')
    await healthy(cluster, 'whole', 'v1')
    const report = await reportOf(cluster, 'whole')
    t.match(report, { outcome: 'promoted', from: 'v2', to: 'v1' })
    t.same(report.closed, {}, 'no connection ended')
    await restarted(t, cluster, 'whole')
    await fleet.flows()
    t.ok(fleet.clear, 'no command missed its answer')
    t.comment(`${report.slotsMoved} slots moved, pauses of ${JSON.stringify(report.pausesMs)} ms`)
  })
  await deleted(cluster, 'whole')
}

/** Each of the workers hands over, ends, and is started anew before the next is asked to. */
const restartMaxMs = 60_000

/** Every worker of v1 hands its slots over, ends and is followed by another, one after the other. */
async function restarted(t: Test, cluster: Cluster, name: string): Promise<void> {
  const live = async (): Promise<string[]> =>
    (await cluster.workers()).flatMap(({ id, version, state }) => (version === 'v1' && state === 'live' ? id : []))
  const before = await live()
  let fewest = before.length
  await order(cluster, 'restart', name)
  const areOthers = async () => {
    const now = await live()
    fewest = Math.min(fewest, now.length)
    return now.length === before.length && !now.some((id) => before.includes(id))
  }
  await until('other workers of v1 in the place of all', areOthers, restartMaxMs)
  t.ok(fewest >= before.length - 1, 'one after the other')
  await until('they have every slot', async () =>
    (await cluster.slots()).every(({ owner, version }) => owner !== null && version === 'v1'),
  )
  await healthy(cluster, name, 'v1')
}

async function abortAndPromote(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'rollout-abort', async (fleet) => {
    await using v2 = await Canary.start(cluster)
    void v2
    await apply(cluster, 'abort', [{ setWeight: 50 }, { pause: {} }])
    await pausedAt(t, cluster, 'abort', 50)
    const aborted = performance.now()
    await order(cluster, 'abort', 'abort')
    await returned(cluster, 'abort')
    const abortMs = performance.now() - aborted
    t.ok(abortMs < settleMaxMs, `an abort at 50 % settles in ${Math.round(abortMs)} ms`)
    t.ok((await cluster.slots()).every(({ version }) => version === 'v1'))
    t.match(await reportOf(cluster, 'abort'), { outcome: 'aborted', closed: {} })

    await order(cluster, 'retry', 'abort')
    await pausedAt(t, cluster, 'abort', 50)
    const promoted = performance.now()
    await order(cluster, 'promote', 'abort', '--full')
    await healthy(cluster, 'abort', 'v2')
    const promoteMs = performance.now() - promoted
    t.ok(promoteMs < settleMaxMs, `a promotion in full settles in ${Math.round(promoteMs)} ms`)

    await order(cluster, 'undo', 'abort')
    await until('slots on their way', async () => (await rolloutView(cluster, 'abort')).weights.actual['v1']! > 0)
    await order(cluster, 'abort', 'abort')
    await returned(cluster, 'abort')
    t.ok((await cluster.slots()).every(({ version }) => version === 'v2'))
    await order(cluster, 'retry', 'abort')
    await order(cluster, 'promote', 'abort', '--full')
    await healthy(cluster, 'abort', 'v1')
    t.ok(fleet.clear, 'no command missed its answer')
  })
  await deleted(cluster, 'abort')
}

async function crashLoop(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'rollout-crash', async (fleet) => {
    await apply(cluster, 'crash', [{ setWeight: 50 }, { pause: {} }])
    const began = performance.now()
    for (let times = 0; times < crashesMax; times++) {
      await using canary = cluster.start('worker', '--version', 'v2')
      await until('the controller to see it', async () => (await workersOf(cluster, 'v2')) === 1)
      canary.signal('SIGKILL')
      await until('the controller to miss it', async () => (await workersOf(cluster, 'v2')) === 0)
    }
    await returned(cluster, 'crash')
    const view = await rolloutView(cluster, 'crash')
    t.match(view, { phase: 'Degraded', reason: 'CanaryCrashed' })
    t.comment(`given up after ${Math.round(performance.now() - began)} ms`)
    t.ok((await cluster.slots()).every(({ version }) => version === 'v1'))
    await fleet.flows()
  })
  await deleted(cluster, 'crash')
}

async function apply(cluster: Cluster, name: string, steps: Step[]): Promise<void> {
  await cluster.applied(rolloutOf(name, steps))
}

/** Slots stay where they are. */
async function deleted(cluster: Cluster, name: string): Promise<void> {
  await cluster.deleted('Rollout', name)
  await cluster.settled()
}

async function order(cluster: Cluster, ...args: string[]): Promise<void> {
  const { exit, stderr } = await cluster.command('rollout', ...args)
  if (exit.code !== exitCodes.ok) throw new Error(`rollout ${args.join(' ')}: ${stderr}`)
}

async function reportOf(cluster: Cluster, name: string): Promise<RolloutReport> {
  const [report] = await cluster.read<RolloutReport[]>(`rollouts/${name}/report`)
  if (report === undefined) throw new Error('there is no report')
  return report
}
