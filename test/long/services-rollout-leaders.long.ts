// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: when the controller that leads is
// frozen in the middle of a step, another takes the rollout over and ends it; what the first one writes and orders when it
// wakes, and what is written in its term, changes nothing. No client notices.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { leaderScenarios, leaderScenarioSettings } from '../integrity/scenarios/leaders.ts'

leaderScenarios(t, await startOnServices(t, { settings: leaderScenarioSettings }))
