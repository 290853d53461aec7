// Proves with real processes, 200 real clients in 40 rooms and steady load: the controller that leads is killed when a hand-off
// of a rollout was hinted, when its successor was warm, when its owner had let go, and when it was done; it comes about, and the
// next leader goes on with the rollout. No client notices.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { handoffStageScenarios, handoffStageSettings } from './scenarios/handoff-stages.ts'

const cluster = await startCluster({ settings: handoffStageSettings })
t.teardown(() => cluster.stop())
handoffStageScenarios(t, cluster)
