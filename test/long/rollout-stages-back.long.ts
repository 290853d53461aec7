// Proves with real processes, 200 real clients in 40 rooms and steady load: the controller that leads is killed while a rollout
// is promoted, aborted, undone, replaces workers, and was overtaken by another version, and another one goes on from what the store has. No client notices.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { rolloutStageScenarios, rolloutStageSettings } from '../integrity/scenarios/rollout-stages.ts'

const cluster = await startCluster({ settings: rolloutStageSettings })
t.teardown(() => cluster.stop())
rolloutStageScenarios(t, cluster, 'back')
