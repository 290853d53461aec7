// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: whatever faults do at each of
// the seven stages (kill, delay, fail), no client notices but where its own proxy is killed: nothing is lost, doubled, made up or
// out of order.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { faultScenarios } from '../integrity/scenarios/faults.ts'

// The second proxy is none of `holdfast dev`, where they are on by themselves.
faultScenarios(t, await startOnServices(t, { settings: { HOLDFAST_FAULTS_ENABLED: 'on' } }))
