// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: when a proxy is killed, or
// frozen until it was given up and then woken, its clients resume at the other one or on its restart and recover all that
// they missed; sockets close only then, and the checker finds nothing.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { proxyScenarios, proxyScenarioSettings } from './scenarios/proxies.ts'

proxyScenarios(t, await startOnServices(t, { settings: proxyScenarioSettings }))
