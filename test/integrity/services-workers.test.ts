// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: workers can be drained one
// after the other, killed at any moment, frozen until others have taken over and woken again, joined by another version
// and replaced by it, and no client notices: no socket closes, nothing is lost, doubled, made up or out of order. Half of the rooms have slots
// of their own.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { workerScenarios } from './scenarios/workers.ts'

workerScenarios(t, await startOnServices(t, { ownSlots: 'staff' }), { killRounds: 4 })
