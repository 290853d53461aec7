// Proves with real processes, 200 real clients in 40 rooms and steady load: the controller may die or stand still and
// traffic flows on, and the one that comes back adopts what is there; the engine may be killed, and everything goes
// on where it was. No socket closes and the checker finds nothing.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { underLoad } from '../harness/processes/under-load.ts'
import { until } from '../support/until.ts'
import { controllerScenarios } from './scenarios/controller.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())
controllerScenarios(t, cluster)

void t.test('the engine is killed', async (t) => {
  await underLoad(t, cluster, 'engine', async (fleet) => {
    for (let round = 0; round < 3; round++) {
      const pid = await cluster.pid('engine')
      process.kill(pid, 'SIGKILL')
      fleet.note('killed the engine')
      await until('another engine', async () => (await cluster.pids('engine')).some((other) => other !== pid))
      await fleet.flows(120, 20_000)
      await cluster.settled(2, 20_000)
    }
  })
})
