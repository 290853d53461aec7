// Proves with real processes, 200 real clients in 40 rooms and steady load: when the proxy is killed, or frozen until
// it was given up and then woken, clients resume on its restart and recover all that they missed; sockets close only
// then, and the checker finds nothing.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { proxyScenarios, proxyScenarioSettings } from './scenarios/proxies.ts'

const cluster = await startCluster({ settings: proxyScenarioSettings })
t.teardown(() => cluster.stop())
proxyScenarios(t, cluster)
