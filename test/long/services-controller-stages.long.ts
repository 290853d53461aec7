// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: the controller that leads is killed
// at every stage of a hand-off and of a rollout, and another one goes on from what the store has. No client notices.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { handoffStageScenarios, handoffStageSettings } from '../integrity/scenarios/handoff-stages.ts'
import { rolloutStageScenarios, rolloutStageSettings } from '../integrity/scenarios/rollout-stages.ts'

void t.test('a hand-off', async (t) =>
  handoffStageScenarios(t, await startOnServices(t, { settings: handoffStageSettings })),
)

for (const part of ['forward', 'back'] as const)
  void t.test(`a rollout, ${part}`, async (t) =>
    rolloutStageScenarios(t, await startOnServices(t, { settings: rolloutStageSettings }), part),
  )
