// Proves with real processes, 200 real clients in 40 rooms and steady load: a version is rolled out by "holdfast deploy"
// through 10, 50 and 100 %, given up at 50 % and in the middle of a hand-off, undone when it was complete, and gone back to
// by "holdfast rollback", and no client notices: no socket closes, nothing is lost, doubled, made up or out of order, and
// the weights that versions have are within one slot of those that they are to have.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { releaseScenarios } from '../integrity/scenarios/releases.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())
releaseScenarios(t, cluster)
