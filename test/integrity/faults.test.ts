// Proves with real processes, 200 real clients in 40 rooms and steady load: workers that faults kill at each of their
// stages are followed by others, and no client notices: no socket closes, nothing is lost, doubled, made up or out of order.
import { Faults } from 'holdfast/testing'
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { underLoad } from '../harness/processes/under-load.ts'
import { until } from '../support/until.ts'

const stages = ['worker.afterPoll', 'worker.beforeCommit', 'worker.afterCommit', 'db'] as const

t.test('workers are killed by faults at each stage', async (t) => {
  await using cluster = await startCluster()
  const faults = new Faults({ url: `http://127.0.0.1:${cluster.controllerPort}`, dataDir: cluster.dataDirectory })
  await underLoad(t, cluster, 'fault-kill', async (fleet) => {
    for (const [seed, stage] of stages.entries()) {
      const before = new Set((await cluster.settled()).map(({ pid }) => pid))
      fleet.note(`kill at ${stage}`)
      const fault = await faults.kill({ stage, percentage: 1, seed, expiresAfter: '1m' })
      await until(
        `a worker is killed at ${stage}`,
        async () => (await cluster.workers()).some(({ pid }) => !before.has(pid)),
        30_000,
      )
      await fault.clear()
      await cluster.settled(2, 30_000)
      await fleet.flows(60, 30_000)
      t.pass(stage)
    }
  })
})
