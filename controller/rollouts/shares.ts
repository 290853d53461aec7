import { parseSlot } from '../../protocol/slot.ts'
import type { Lease } from '../../store/store.ts'
import type { Groups } from './spec.ts'

/** What placement is told of one rollout. */
export interface RolloutShare {
  groups: Groups
  stable: string
  canary: string
  /** Percent of the slots of each group. */
  canaryWeight: number
}

/** How a slot group is shared while a rollout has it: placement's words for it. */
export interface SharedGroup {
  group: string
  shares: { version: string; weight: number }[]
}

/** Groups that rollouts have, each as the first of them says. Those of all rollouts come after those of certain groups. */
export function sharedGroups(rollouts: readonly RolloutShare[], leases: readonly Lease[]): SharedGroup[] {
  const certainFirst = rollouts.toSorted((a, b) => Number(a.groups === 'all') - Number(b.groups === 'all'))
  const groups = new Set(leases.map(({ slot }) => parseSlot(slot).group))
  return [...groups].flatMap((group): SharedGroup[] => {
    const rollout = certainFirst.find((each) => each.groups === 'all' || each.groups.includes(group))
    return rollout === undefined ? [] : [{ group, shares: versionsOf(rollout) }]
  })
}

function versionsOf({ stable, canary, canaryWeight }: RolloutShare): SharedGroup['shares'] {
  if (stable === canary) return [{ version: stable, weight: 100 }]
  return [
    { version: stable, weight: 100 - canaryWeight },
    { version: canary, weight: canaryWeight },
  ]
}
