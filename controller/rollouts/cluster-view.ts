import type { ProxyBeat, WorkerBeat } from '../../protocol/records/heartbeat.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Lease } from '../../store/store.ts'
import type { Groups } from './spec.ts'

/** The cluster as rollouts look at it. */
export interface ClusterView {
  leases: readonly Lease[]
  /** All that live and are up. */
  workers: readonly WorkerBeat[]
  /** Those that are not up yet. */
  starting: readonly WorkerBeat[]
  /** Those of them that hang. */
  stuck: ReadonlySet<string>
  proxies: readonly ProxyBeat[]
  /** Version that serves, null before the first. */
  serving: string | null
  /** Slots on their way to another owner. */
  moving: ReadonlySet<SlotId>
  /** Whether a weight is a share of slots, or of commands: then only placement knows whether it is reached. */
  weightBy: 'slots' | 'traffic'
  /** Ms that a slot may stand still while it is handed over; null: as long as it takes. */
  maxPauseMs: number | null
}

/** Slots of some groups, by the version of their live owners. */
export interface SlotsOf {
  byVersion: Map<string, number>
  total: number
}

/** Where the slots of these groups are, in all and by group. */
export function slotsOf({ leases, workers }: ClusterView, groups: Groups): SlotsOf & { byGroup: Map<string, SlotsOf> } {
  const versions = new Map(workers.map(({ id, version }) => [id, version]))
  const all = { byVersion: new Map<string, number>(), total: 0, byGroup: new Map<string, SlotsOf>() }
  for (const { slot, owner } of leases) {
    const { group } = parseSlot(slot)
    if (groups !== 'all' && !groups.includes(group)) continue
    const own = all.byGroup.get(group) ?? { byVersion: new Map<string, number>(), total: 0 }
    all.byGroup.set(group, own)
    const version = owner === null ? undefined : versions.get(owner)
    for (const each of [all, own]) {
      each.total++
      if (version !== undefined) each.byVersion.set(version, (each.byVersion.get(version) ?? 0) + 1)
    }
  }
  return all
}

/** Ids of the workers that can own slots, by version. */
export function ableWorkers({ workers, stuck }: ClusterView): Map<string, string[]> {
  const able = workers.filter(({ id, state }) => state === 'live' && !stuck.has(id))
  const byVersion = new Map<string, string[]>()
  for (const { id, version } of able) byVersion.set(version, [...(byVersion.get(version) ?? []), id])
  return byVersion
}

/** Groups that a canary shares with the stable version, and what it is to have of them in percent. */
export interface WantedShare {
  groups: Groups
  stable: string
  canary: string
  weight: number
}

/**
 * True when the canary's share is within one slot of its weight in each of these groups (all or nothing at the ends), the
 * stable version has the rest, and none of their slots is on its way or without an owner.
 */
export function isCarriedOut(view: ClusterView, { groups, stable, canary, weight }: WantedShare): boolean {
  const isOurs = (slot: SlotId) => groups === 'all' || groups.includes(parseSlot(slot).group)
  if (view.moving.values().some(isOurs)) return false
  return slotsOf(view, groups)
    .byGroup.values()
    .every(({ byVersion, total }) => {
      const had = byVersion.get(canary) ?? 0
      // What neither has, a third version has that took it over, or nobody that lives.
      const rest = stable === canary ? 0 : (byVersion.get(stable) ?? 0)
      if (had + rest < total) return false
      if (weight === 0 || weight === 100) return had === (total * weight) / 100
      if (view.weightBy === 'traffic') return true
      return Math.abs(had - (total * weight) / 100) <= 1
    })
}
