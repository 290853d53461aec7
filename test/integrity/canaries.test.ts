// Proves that three bad canaries are found and rolled back unattended, by the built-in counters alone and in real
// processes, and that only rooms that they had were harmed. All of them, and a good one, are in test/long.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { isRolledBack } from './scenarios/canaries.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())
await cluster.settled()

for (const name of ['wrong-offset', 'slow', 'crashes'] as const)
  void t.test(`one of the kind "${name}"`, (t) => isRolledBack(t, cluster, name))
