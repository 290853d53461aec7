// Proves with real processes, 200 real clients in 40 rooms and steady load: the controller that leads is killed at every stage
// of a rollout on its way forward (applied, not to be begun, without workers, at a gate, moving slots, paused, paused for a
// time, held, in an analysis), and another one goes on from what the store has. No client notices.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { rolloutStageScenarios, rolloutStageSettings } from '../integrity/scenarios/rollout-stages.ts'

const cluster = await startCluster({ settings: rolloutStageSettings })
t.teardown(() => cluster.stop())
rolloutStageScenarios(t, cluster, 'forward')
