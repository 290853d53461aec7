// Proves with real processes, 200 real clients in 40 rooms, steady load and a real Prometheus: while that is stopped a rollout
// stays where it is and goes on when it is back, what is no number and no data hold it, and one that hangs for long brings the
// rooms back. It is promoted by none of these, and no client notices.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { prometheusAwayScenario } from '../integrity/scenarios/prometheus-away.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())
prometheusAwayScenario(t, cluster)
