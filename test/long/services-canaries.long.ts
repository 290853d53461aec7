// Proves on Kafka and MariaDB, with two proxies: bad canaries are found and rolled back unattended, by the built-in
// counters alone and in real processes, only rooms that they had were harmed, and a good one comes through on a machine
// that has too much to do. Prints how long it takes, and how many rooms were harmed.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { canaryScenarios } from '../integrity/scenarios/canaries.ts'

const cluster = await startOnServices(t)
await cluster.settled()
canaryScenarios(t, cluster)
