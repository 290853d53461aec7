// Proves that bad canaries are caught and rolled back unattended, by the built-in counters alone and in real processes,
// that nobody loses anything by it, and that a good one comes through. Prints how long it takes.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { comesThrough, isRolledBack } from '../integrity/scenarios/canaries.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())
await cluster.settled()

void t.test('one that errs', (t) => isRolledBack(t, cluster, { name: 'errs', app: 'errs', deadlineMs: 60_000 }))

void t.test('one that answers with the wrong offset', (t) =>
  isRolledBack(t, cluster, { name: 'wrong-offset', app: 'wrong-offset', deadlineMs: 60_000, isSeen: true }),
)

void t.test('one that takes twice as long', (t) =>
  isRolledBack(t, cluster, { name: 'slow', app: 'slow', deadlineMs: 90_000 }),
)

void t.test('a good one', (t) => comesThrough(t, cluster, { name: 'good', deadlineMs: 90_000 }))
