// Proves with real processes, 200 real clients in 40 rooms and steady load: when the controller that leads is frozen in the
// middle of a step, another takes the rollout over and ends it; what the first one writes and orders when it wakes, and what
// is written in its term, changes nothing. No client notices.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { leaderScenarios, leaderScenarioSettings } from './scenarios/leaders.ts'

const cluster = await startCluster({ settings: leaderScenarioSettings })
t.teardown(() => cluster.stop())
leaderScenarios(t, cluster)
