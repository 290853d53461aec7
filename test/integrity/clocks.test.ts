// Proves with real processes, 200 real clients in 40 rooms and steady load: clocks that are set by up to a day, for all
// processes or for each its own, while the controller and then a worker are killed, keep no slot without an owner, close
// no socket and lose nothing; and a cluster whose data was written ahead of its clock is ready all the same.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Fleet } from '../harness/clients/fleet.ts'
import { Clocks } from '../harness/processes/clocks.ts'
import type { AheadMs } from '../harness/processes/clocks.ts'
import { startCluster, type Cluster } from '../harness/processes/cluster.ts'
import { underLoad } from '../harness/processes/under-load.ts'
import { until } from '../support/until.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

const jumps: AheadMs[] = [
  { all: -hourMs },
  { all: dayMs },
  { all: -dayMs },
  { engine: dayMs, controller: -dayMs, worker: hourMs, proxy: -hourMs },
  { engine: -dayMs, controller: dayMs, worker: -hourMs, proxy: dayMs },
]

void t.test('clocks are set while controllers and workers die', async (t) => {
  using clocks = new Clocks()
  // By one clock alone, what was said an hour ago is as old as the other clock has it.
  const settings = { ...clocks.settings, HOLDFAST_CHANNEL_WITHOUT_NAMESPACE_HISTORY_TTL: '200h' }
  await using cluster = await startCluster({ settings })
  await underLoad(t, cluster, 'clocks', async (fleet) => {
    for (const jump of jumps) {
      clocks.set(jump)
      fleet.note(`clocks are set: ${JSON.stringify(jump)}`)
      await killControllerAndWorker(cluster, fleet)
    }
  })
})

void t.test('data that was written a day ahead', async (t) => {
  using clocks = new Clocks({ all: dayMs })
  const dataDirectory = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const before = await startCluster({ dataDirectory, settings: clocks.settings })
  for (const { pid } of await before.children()) process.kill(pid, 'SIGKILL')
  before.running.signal('SIGKILL')
  await before.running.exited
  clocks.set({})
  // It is waited for the ready line, as long as for any other.
  await using cluster = await startCluster({ dataDirectory, settings: clocks.settings })
  await underLoad(t, cluster, 'written-ahead', (fleet) => killControllerAndWorker(cluster, fleet))
})

/** A dead worker's slots move within seconds, under a controller that has just come. */
async function killControllerAndWorker(cluster: Cluster, fleet: Fleet): Promise<void> {
  const [victim] = await cluster.settled()
  if (victim === undefined) throw new Error('there is no worker')
  process.kill(await cluster.pid('controller'), 'SIGKILL')
  process.kill(victim.pid, 'SIGKILL')
  fleet.note(`killed the controller and ${victim.id}`)
  await until(
    'the slots to be given away',
    async () => (await cluster.slots()).every(({ owner }) => owner !== null && owner !== victim.id),
    15_000,
  )
  await cluster.settled()
  await fleet.flows()
}
