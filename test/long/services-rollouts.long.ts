// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: a version takes over through
// 10, 50 and 100 %, is undone, aborted, aborted in the middle of a hand-off, promoted in full and crashes, and no client
// notices: no socket closes, nothing is lost, doubled, made up or out of order.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { rolloutScenarios } from '../integrity/scenarios/rollouts.ts'

rolloutScenarios(t, await startOnServices(t))
