import type { HookType } from '../resources/rollout.ts'
import { gateKey } from './observation.ts'
import type { Observation } from './observation.ts'
import type { Webhook } from './spec.ts'
import { isUnderWay } from './state.ts'
import type { Entry, RolloutState } from './state.ts'
import type { Webhooks } from './webhooks.ts'

/** Asks the webhooks that a rollout waits for, and those that may ask for a rollback. */
export function askHooks(
  webhooks: Webhooks,
  hooks: readonly Webhook[],
  state: RolloutState,
): Pick<Observation, 'gates' | 'isRollbackWanted'> {
  const gates = new Map<string, boolean>()
  if (state.gate !== null) {
    const key = gateKey(state, state.gate)
    const answer = webhooks.ask(key, ofTypes(hooks, [state.gate]), state)
    if (answer !== null) gates.set(key, answer)
  }
  const rollbacks = isUnderWay(state) ? ofTypes(hooks, ['rollback']) : []
  const isRollbackWanted = rollbacks.length > 0 && webhooks.ask(rollbackKey(state), rollbacks, state) === true
  return { gates, isRollbackWanted }
}

/** Forgets what was asked for states that are over. */
export function forgetAnswers(webhooks: Webhooks, states: readonly RolloutState[]): void {
  webhooks.keep(new Set(states.flatMap((state) => [gateKey(state, state.gate ?? ''), rollbackKey(state)])))
}

/** Tells what happened to those who want to know. */
export function tellHooks(webhooks: Webhooks, hooks: readonly Webhook[], state: RolloutState, entry: Entry): void {
  const isEnd = entry.type === 'RolloutCompleted' || entry.type === 'SlotsReturned'
  webhooks.tell(ofTypes(hooks, isEnd ? ['event', 'post-rollout'] : ['event']), state, entry)
}

function ofTypes(hooks: readonly Webhook[], types: readonly HookType[]): Webhook[] {
  return hooks.filter(({ type }) => types.includes(type))
}

/** One question for the whole attempt. */
function rollbackKey(state: RolloutState): string {
  return gateKey({ ...state, step: 0 }, 'rollback')
}
