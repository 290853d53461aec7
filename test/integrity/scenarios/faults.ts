import { Faults } from 'holdfast/testing'
import type { FaultHandle, Stage } from 'holdfast/testing'
import type { Test } from 'tap'
import { faultStages } from '../../../protocol/records/fault.ts'
import type { Fleet } from '../../harness/clients/fleet.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { until } from '../../support/until.ts'
import { subscribeTimeout, transportClosed, unsubscribeError } from './close-codes.ts'

/** Traffic flows again within this after a fault is cleared. */
const healedMs = 30_000

/** So often a fault is to strike before it is cleared. */
const strikesMin = 5

const ofWorker = ['worker.afterPoll', 'worker.beforeCommit', 'worker.afterCommit', 'db'] as const
const ofProxy = ['proxy.onFrame', 'proxy.onSend', 'produce'] as const

/** Stages at which a request is made again when it fails: no client is told. */
const repeated: readonly Stage[] = ['produce', 'worker.beforeCommit', 'worker.afterCommit', 'db']

/** Whatever is set to go wrong, at whichever of the seven stages, clients notice no more than that says. */
export function faultScenarios(t: Test, cluster: Cluster): void {
  const { controllerPort, dataDirectory } = cluster
  const faults = new Faults({ url: `http://127.0.0.1:${controllerPort}`, dataDir: dataDirectory })
  void t.test('workers are killed by faults at each stage', (t) => workersDie(t, cluster, faults))
  void t.test('all that is struck is late, or fails and is done again', (t) => lateAndAgain(t, cluster, faults))
  void t.test('proxies are killed by faults at each stage', (t) => proxiesDie(t, cluster, faults))
}

async function workersDie(t: Test, cluster: Cluster, faults: Faults): Promise<void> {
  await underLoad(t, cluster, 'fault-workers', async (fleet) => {
    for (const [seed, stage] of ofWorker.entries()) {
      const before = new Set((await cluster.settled()).map(({ pid }) => pid))
      fleet.note(`kill at ${stage}`)
      const fault = await faults.kill({ stage, percentage: 1, seed, expiresAfter: '1m' })
      await until(
        `a worker is killed at ${stage}`,
        async () => (await cluster.workers()).some(({ pid }) => !before.has(pid)),
        healedMs,
      )
      await fault.clear()
      await cluster.settled(2, healedMs)
      await fleet.flows(60, healedMs)
      t.pass(stage)
    }
  })
}

async function lateAndAgain(t: Test, cluster: Cluster, faults: Faults): Promise<void> {
  await underLoad(t, cluster, 'fault-requests', async (fleet) => {
    for (const [seed, stage] of faultStages.entries()) {
      const share = { stage, percentage: 20, seed, expiresAfter: '1m' }
      await strikes(t, cluster, fleet, await faults.delay({ ...share, fixedDelay: '40ms' }), `delay at ${stage}`)
      if (repeated.includes(stage)) await strikes(t, cluster, fleet, await faults.abort(share), `abort at ${stage}`)
    }
    t.ok(fleet.clear, 'no command missed its answer')
  })
}

/** Lets a fault strike for a while; its process says how often it did. */
async function strikes(t: Test, cluster: Cluster, fleet: Fleet, fault: FaultHandle, what: string): Promise<void> {
  fleet.note(what)
  const struck = () => cluster.counter(`holdfast_faults_injected_total{fault="${fault.name}"`)
  await until(`${what} strikes`, async () => (await struck()) >= strikesMin, healedMs)
  await fault.clear()
  await fleet.flows(60, healedMs)
  t.pass(`${what} struck ${await struck()} times`)
}

async function proxiesDie(t: Test, cluster: Cluster, faults: Faults): Promise<void> {
  const name = 'fault-proxies'
  await underLoad(t, cluster, name, async (fleet) => {
    for (const stage of ofProxy) {
      const before = await cluster.pids('proxy')
      const window = fleet.mayClose(`kill at ${stage}`, [transportClosed, subscribeTimeout, unsubscribeError])
      const fault = await faults.kill({ stage, match: { user: { exact: `${name}-user-0` } }, expiresAfter: '1m' })
      await until(
        `a proxy is killed at ${stage}`,
        async () => (await cluster.pids('proxy')).filter((pid) => before.includes(pid)).length < before.length,
        healedMs,
      )
      await fault.clear()
      await fleet.connected(healedMs)
      window.close()
      await fleet.flows(60, healedMs)
      t.pass(stage)
    }
  })
}
