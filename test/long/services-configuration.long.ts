// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: what is no configuration,
// written straight into the log in its place, is rejected by every process, which says so and goes on with the last good one;
// the leader puts the right one back. A proxy that hears of nothing for a while has the older one, and then the newest. No
// client notices.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { configurationScenarios, configurationSettings } from '../integrity/scenarios/configuration.ts'

configurationScenarios(t, await startOnServices(t, { settings: configurationSettings }))
