// Proves with real processes, 200 real clients in 40 rooms and steady load: a version takes over through 10, 50 and
// 100 %, is aborted, undone, promoted in full and crashes, and no client notices.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { rolloutScenarios } from './scenarios/rollouts.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())
rolloutScenarios(t, cluster)
