/** How a release is to take over. What is not said stays as the Rollout has it, or becomes the default. */
export interface TakeOver {
  version: string
  /** Percent of the slots, one step each. */
  weights?: readonly number[]
  /** Between two steps, as a resource writes it (`30s`); empty for none. */
  pause?: string
}

/** Weights of a release for which nobody said any. */
export const defaultWeights: readonly number[] = [10, 50, 100]

/** Pause between two of its steps. */
export const defaultPause = '30s'

/** Name of the Rollout that releases are rolled out by. */
export const rolloutName = 'chat'

/** A Rollout as people write it; of what else it may say nothing is touched. */
export interface RolloutDocument {
  apiVersion: string
  kind: string
  metadata: Record<string, unknown> & { name: string }
  spec: Record<string, unknown> & { strategy: { canary: Record<string, unknown> & { canaryService: string } } }
}

/** The Rollout that takes a release in. `before` is the one that is applied now, null for none. */
export function rolloutDocument(takeOver: TakeOver, before: RolloutDocument | null): RolloutDocument {
  const { version, weights, pause } = takeOver
  const isNew = before === null || weights !== undefined || pause !== undefined
  const steps = stepsOf(weights ?? defaultWeights, pause ?? defaultPause)
  // Who names the version that serves would have to change it with every release.
  const { stableService: _, ...kept }: Record<string, unknown> = before?.spec.strategy.canary ?? {}
  return {
    apiVersion: before?.apiVersion ?? 'holdfast.dev/v1',
    kind: 'Rollout',
    metadata: before?.metadata ?? { name: rolloutName },
    spec: {
      ...(before?.spec ?? firstSpec),
      strategy: { canary: { ...kept, canaryService: version, ...(isNew ? { steps } : {}) } },
    },
  }
}

/**
 * A release that has served goes back without steps, as long as it is kept. Its workers start on this machine, so it is
 * soon known when they do not.
 */
const firstSpec = { progressDeadlineSeconds: 60, rollbackWindow: { revisions: 5 } }

function stepsOf(weights: readonly number[], pause: string): Record<string, unknown>[] {
  return weights.flatMap((setWeight, index) => {
    const isLast = index === weights.length - 1
    return isLast || pause === '' ? [{ setWeight }] : [{ setWeight }, { pause: { duration: pause } }]
  })
}
