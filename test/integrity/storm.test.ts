// Proves with real processes, 200 real clients in 40 rooms and steady load: a storm of random faults, one into the
// other (kills, freezes and drains of workers, kills and freezes of controller, proxy and engine), leaves nothing lost,
// doubled, made up or out of order, and everything is well when it is over.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { stormScenario } from './scenarios/storm.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())
stormScenario(t, cluster, { faults: 20, engine: true })
