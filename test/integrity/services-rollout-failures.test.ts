// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: the controller is killed in
// the middle of a rollout, in its pause and in its abort, and a canary crashes on its start again and again, and no client
// notices: no socket closes, nothing is lost, doubled, made up or out of order.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { rolloutFailureScenarios } from './scenarios/rollouts.ts'

rolloutFailureScenarios(t, await startOnServices(t))
