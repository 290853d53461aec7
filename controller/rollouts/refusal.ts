import { isUnderWay } from './state.ts'
import type { RolloutState } from './state.ts'

/** Why a canary cannot be applied now, in words that say what to do; null when it can. */
export function refusal(state: RolloutState, canary: string): string | null {
  if (!isUnderWay(state) || canary === state.canary || canary === state.stable) return null
  const { name, stable, canary: present } = state
  return (
    `${stable} → ${present} is under way, and a third version, ${canary}, has to wait. ` +
    `End it first with "holdfast rollout abort ${name}" or "holdfast rollout promote --full ${name}"`
  )
}
