// Proves that bad canaries are found and rolled back unattended, by the built-in counters alone and in real processes,
// that only rooms that they had were harmed, and that a good one comes through on a machine that has too much to do.
// Prints how long it takes, and how many rooms were harmed.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { canaryScenarios } from '../integrity/scenarios/canaries.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())
await cluster.settled()
canaryScenarios(t, cluster)
