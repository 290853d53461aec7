// Proves with real processes, two proxies, 200 real clients in 40 rooms and steady load: what is no configuration, written
// straight into the log in its place, is rejected by every process, which says so and goes on with the last good one; the leader
// puts the right one back. A proxy that hears of nothing for a while has the older one, and then the newest. No client notices.
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'
import { configurationScenarios, configurationSettings } from '../integrity/scenarios/configuration.ts'

const cluster = await startCluster({ settings: configurationSettings, proxies: 2 })
t.teardown(() => cluster.stop())
configurationScenarios(t, cluster)
