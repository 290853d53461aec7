// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: a storm of random faults,
// one into the other (kills, freezes and drains of workers, kills and freezes of controller and proxies), leaves nothing
// lost, doubled, made up or out of order, and everything is well when it is over.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { stormScenario } from './scenarios/storm.ts'

stormScenario(t, await startOnServices(t), { faults: 15, engine: false })
