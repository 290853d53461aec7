import { namespaceGroups, slotGroups } from '../../cluster/slot-groups.ts'
import { areFaultsOn } from '../../config/config.ts'
import type { Config } from '../../config/config.ts'
import { defaultGroup } from '../../protocol/records/topics.ts'
import type { GroupInfo } from './groups.ts'

/** What resources are checked against; null for what is not known, and then not checked. */
export interface World {
  /** Slot groups of the cluster. */
  groups: readonly GroupInfo[] | null
  /** Versions of live workers. */
  versions: ReadonlySet<string> | null
  /** Whether faults may be set, and whether each must expire. */
  faults: { areOn: boolean; mustExpire: boolean } | null
}

/** Nothing is known: of a text alone. */
export const unknownWorld: World = { groups: null, versions: null, faults: null }

/** The slot groups of a configuration, and whose rooms they have. */
export function groupInfos(config: Config): GroupInfo[] {
  const namespaces = namespaceGroups(config)
  return slotGroups(config).map(({ name, slots }) => ({
    name,
    slots,
    namespaces: [
      // Rooms without a namespace are there.
      ...(name === defaultGroup ? [''] : []),
      ...namespaces.filter(({ group }) => group === name).map(({ namespace }) => namespace),
    ],
  }))
}

/** The world of a controller with that configuration. */
export function worldOf(config: Config, versions: ReadonlySet<string>): World {
  const faults = { areOn: areFaultsOn(config), mustExpire: !config.dev.active }
  return { groups: groupInfos(config), versions, faults }
}
