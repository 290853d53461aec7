import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Lease } from '../../store/store.ts'
import type { GroupTraffic } from './traffic.ts'

/** A version's part of a group, in percent. */
export interface VersionView {
  version: string
  /** What it is to have. */
  desired: number
  slots: number
  slots_percent: number
  /** Of the commands that were measured; null where none were. */
  traffic_percent: number | null
}

/** How a group is shared. */
export interface GroupView {
  group: string
  weight_by: 'slots' | 'traffic'
  slots: number
  /** Percent that one slot is: weights come no nearer than that. */
  quantum: number
  /** Slots on their way. */
  moving: number
  versions: VersionView[]
}

/** What it is made from. */
export interface TrafficViewInput {
  leases: readonly Lease[]
  serving: string | null
  traffic: readonly GroupTraffic[]
  rates: ReadonlyMap<SlotId, number>
  /** Of live workers, by id. */
  versions: ReadonlyMap<string, string>
  moving: ReadonlySet<SlotId>
}

/** How all groups are to be shared, and are. Pure. */
export function trafficView({ leases, serving, traffic, rates, versions, moving }: TrafficViewInput): GroupView[] {
  return [...Map.groupBy(leases, ({ slot }) => parseSlot(slot).group)].map(([group, mine]) => {
    const told = traffic.find((each) => each.group === group)
    const shares = told?.shares ?? (serving === null ? [] : [{ version: serving, weight: 1 }])
    const sum = shares.reduce((before, { weight }) => before + weight, 0)
    const desired = new Map(shares.map(({ version, weight }) => [version, percent(weight, sum)]))
    const rateOf = (some: readonly Lease[]) => some.reduce((before, { slot }) => before + (rates.get(slot) ?? 0), 0)
    const byVersion = Map.groupBy(mine, ({ owner }) => (owner === null ? undefined : versions.get(owner)))
    const names = new Set([...desired.keys(), ...[...byVersion.keys()].filter((version) => version !== undefined)])
    const total = rateOf(mine)
    return {
      group,
      weight_by: told?.weightBy ?? 'slots',
      slots: mine.length,
      quantum: percent(1, mine.length),
      moving: mine.filter(({ slot }) => moving.has(slot)).length,
      versions: [...names].toSorted().map((version) => {
        const own = byVersion.get(version) ?? []
        return {
          version,
          desired: desired.get(version) ?? 0,
          slots: own.length,
          slots_percent: percent(own.length, mine.length),
          traffic_percent: total === 0 ? null : percent(rateOf(own), total),
        }
      }),
    }
  })
}

/** In hundredths. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part * 10_000) / whole) / 100
}
