// Proves with real processes, 200 real clients in 40 rooms and steady load: whatever faults do at each of the seven stages
// (kill, delay, fail), no client notices but where its own proxy is killed: nothing is lost, doubled, made up or out of order.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { faultScenarios } from './scenarios/faults.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())
faultScenarios(t, cluster)
