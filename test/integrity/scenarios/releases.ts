import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { exitCodes } from '../../../platform/exit-codes.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { goodApp, quickRollout } from '../../harness/processes/releases.ts'
import type { RolloutState } from '../../harness/processes/releases.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { until } from '../../support/until.ts'

/** Abort and full promote settle within this, for 16 slots. */
export const settleMs = 10_000

/** A whole rollout of these tests is over within this. */
export const rolloutMs = 90_000

/** A worker is there within this; a machine with two cores has much to do. */
const progressSeconds = 25

/** Of a fault under which hand-offs take long enough to be met. */
const slowCommits = '250ms'

/** Version that a cluster starts with. */
export const first = 'v1'

/**
 * Versions come, are given up, and are gone back to under load, by what an operator types. The cluster has one worker
 * that serves when it begins, of `v1`.
 */
export function releaseScenarios(t: Test, cluster: Cluster): void {
  const apps = mkdtempSync(join(tmpdir(), 'holdfast-apps-'))
  t.teardown(() => rmSync(apps, { recursive: true, force: true }))
  void t.test('rollouts are set up so that nothing is waited for in vain', () => setUp(cluster))
  void t.test('v1 → v2 through 10, 50 and 100 %, and back with "holdfast rollback"', (t) =>
    thereAndBack(t, cluster, apps),
  )
  void t.test('aborted at 50 % and in the middle of a hand-off, complete, and undone', (t) => undone(t, cluster, apps))
}

export async function setUp(cluster: Cluster): Promise<void> {
  await cluster.applied(quickRollout({ progressSeconds, isAnalysed: true }))
  await until('the rollout is settled', async () => (await rolloutOf(cluster))?.phase === 'Healthy')
}

async function thereAndBack(t: Test, cluster: Cluster, apps: string): Promise<void> {
  await underLoad(t, cluster, 'release', async (fleet) => {
    fleet.note('deploy v2')
    const app = goodApp(apps, 'v2')
    const how = ['--version', 'v2', '--canary', '10,50,100', '--pause', '1s', '--watch']
    const deployed = run(cluster, 'deploy', app, ...how)
    const seen = await watchWeights(t, cluster, 'v2')
    await deployed
    t.same([...seen], [10, 50], 'it paused at each weight')
    await serves(t, cluster, 'v2')
    await fleet.flows()
    const report = JSON.parse((await run(cluster, 'rollout', 'report', 'chat', '--json')).stdout) as Report
    t.match(report, { from: first, to: 'v2', outcome: 'promoted', slotsMoved: 16 })
    const { p50, p99, max } = report.pausesMs
    t.comment(`16 slots moved, pauses p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`)

    await until('the workers of v1 have ended', async () => (await workersOf(cluster, first)) === 0, settleMs)
    fleet.note('rollback')
    await run(cluster, 'rollback')
    await serves(t, cluster, first)
    await fleet.flows()
    t.ok(fleet.clear, 'no command missed its answer')
  })
}

async function undone(t: Test, cluster: Cluster, apps: string): Promise<void> {
  await underLoad(t, cluster, 'undo', async (fleet) => {
    fleet.note('deploy v3')
    await run(cluster, 'deploy', goodApp(apps, 'v3'), '--version', 'v3', '--canary', '50,100', '--pause', '10m')
    await until('half of the slots are at v3', async () => (await slotsOf(cluster, 'v3')) === 8, rolloutMs)
    await fleet.flows()
    fleet.note('abort at 50 %')
    await abort(t, cluster)

    fleet.note('retry, and abort with a slot on its way')
    // An owner finishes its batch before it lets go: so it takes a while until all are there.
    await run(cluster, 'fault', 'set', 'slow', '--stage', 'worker.beforeCommit', '--delay', slowCommits)
    await run(cluster, 'rollout', 'retry', 'chat')
    await until(
      'a slot has moved and others have not',
      async () => {
        const moved = await slotsOf(cluster, 'v3')
        return moved > 0 && moved < 8
      },
      rolloutMs,
    )
    await abort(t, cluster)
    await run(cluster, 'fault', 'clear', 'slow')
    await fleet.flows()

    fleet.note('promote v3 in full')
    await run(cluster, 'rollout', 'retry', 'chat')
    const at = performance.now()
    await run(cluster, 'rollout', 'promote', 'chat', '--full')
    await until('v3 has all slots', async () => (await slotsOf(cluster, 'v3')) === 16, settleMs)
    t.comment(`promoted in full within ${Math.round(performance.now() - at)} ms`)
    await serves(t, cluster, 'v3')
    await fleet.flows()
    fleet.note('undo')
    await run(cluster, 'rollout', 'undo', 'chat')
    await until('v1 has all slots', async () => (await slotsOf(cluster, first)) === 16, settleMs)
    await serves(t, cluster, first)
    await fleet.flows()
    t.ok(fleet.clear, 'no command missed its answer')
  })
}

async function abort(t: Test, cluster: Cluster): Promise<void> {
  const at = performance.now()
  await run(cluster, 'rollout', 'abort', 'chat')
  await until('all slots are back', async () => (await slotsOf(cluster, first)) === 16, settleMs)
  t.comment(`back within ${Math.round(performance.now() - at)} ms`)
  t.match(await rolloutOf(cluster), { phase: 'Degraded', stable: first, reason: 'RolloutAborted' })
}

/** At each pause the weight that the version has is within one slot of the one that it is to have. Returns those. */
async function watchWeights(t: Test, cluster: Cluster, version: string): Promise<Set<number>> {
  const seen = new Set<number>()
  await until(
    `${version} serves`,
    async () => {
      const state = await rolloutOf(cluster)
      if (state === null) return false
      const [wanted = 0, had = 0] = [state.weights.desired[version], state.weights.actual[version]]
      if (state.reason === 'CanaryPauseStep') {
        if (!seen.has(wanted)) t.ok(Math.abs(wanted - had) <= 100 / state.slots.total, `${had} % of ${wanted} %`)
        seen.add(wanted)
      }
      return state.phase === 'Healthy' && state.stable === version
    },
    rolloutMs,
  )
  return seen
}

/** Everything is the version's, and it counts as the one that serves. */
async function serves(t: Test, cluster: Cluster, version: string): Promise<void> {
  await until(
    `${version} serves`,
    async () => {
      const state = await rolloutOf(cluster)
      return state?.phase === 'Healthy' && state.stable === version && (await slotsOf(cluster, version)) === 16
    },
    settleMs,
  )
  await until(
    'the releases say so',
    async () => {
      const { stdout } = await run(cluster, 'releases', '--json')
      const releases = JSON.parse(stdout) as { version: string; state: string }[]
      return releases.find(({ state }) => state === 'serves')?.version === version
    },
    settleMs,
  )
  t.pass(`${version} serves`)
}

interface Report {
  pausesMs: { p50: number; p99: number; max: number }
}

export async function run(cluster: Cluster, ...args: string[]): Promise<{ stdout: string }> {
  const { exit, stdout, stderr } = await cluster.command(...args)
  if (exit.code !== exitCodes.ok)
    throw new Error(`holdfast ${args.join(' ')} ended with ${exit.code}:\n${stdout}${stderr}`)
  return { stdout }
}

/** Null while the controller does not know yet. */
export function rolloutOf(cluster: Cluster): Promise<RolloutState | null> {
  return cluster.read<RolloutState>('rollouts/chat').catch(() => null)
}

export async function slotsOf(cluster: Cluster, version: string): Promise<number> {
  const slots = await cluster.slots()
  return slots.filter((slot) => slot.version === version && slot.owner !== null).length
}

async function workersOf(cluster: Cluster, version: string): Promise<number> {
  return (await cluster.workers()).filter((worker) => worker.version === version).length
}
