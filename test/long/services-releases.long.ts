// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: a version is rolled out by "holdfast deploy"
// through 10, 50 and 100 %, given up at 50 % and in the middle of a hand-off, undone when it was complete, and gone back to
// by "holdfast rollback", and no client notices: no socket closes, nothing is lost, doubled, made up or out of order, and
// the weights that versions have are within one slot of those that they are to have.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { releaseScenarios } from '../integrity/scenarios/releases.ts'

releaseScenarios(t, await startOnServices(t))
