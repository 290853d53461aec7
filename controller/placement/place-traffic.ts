import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { place } from './place.ts'
import { splitGroup } from './split.ts'
import type { Loads } from './split.ts'
import { ableTraffic } from './traffic.ts'
import type { GroupTraffic } from './traffic.ts'

/** What a placement is made from. */
export interface PlaceInput {
  /** Every slot with its owner, or where it is on its way to; null where nobody has it. */
  owners: ReadonlyMap<SlotId, string | null>
  /** Those that can own slots. */
  workers: readonly WorkerBeat[]
  /** Groups that are shared among versions; any other one belongs to `serving`. */
  traffic: readonly GroupTraffic[]
  /** Commands a second of each slot; 0 where none are known. */
  rates: ReadonlyMap<SlotId, number>
  serving: string | null
}

/**
 * Who should own which slot: of each group every version has what its weight says, and the workers of a version have
 * the same number of slots, to within one. Slots of a group of which no version is able have no place. Pure.
 */
export function placeTraffic({ owners, workers, traffic, rates, serving }: PlaceInput): Map<SlotId, string> {
  const versions = new Map(workers.map(({ id, version }) => [id, version]))
  const able = new Set(versions.values())
  const loads: Loads = new Map(workers.map(({ id }) => [id, 0]))
  for (const owner of owners.values()) if (owner !== null && loads.has(owner)) loads.set(owner, loads.get(owner)! + 1)
  const versionOf = new Map<SlotId, string>()
  for (const [group, slots] of Map.groupBy(owners.keys(), (slot) => parseSlot(slot).group)) {
    const possible = [...traffic.filter((each) => each.group === group), ...servingTraffic(group, serving)]
      .map((each) => ableTraffic(each, (version) => able.has(version)))
      .find((each) => each !== null)
    if (possible === undefined) continue
    const split = splitGroup(
      slots.map((slot) => {
        const worker = owners.get(slot) ?? ''
        const version = versions.get(worker)
        return { slot, holder: version === undefined ? null : { worker, version }, rate: rates.get(slot) ?? 0 }
      }),
      possible,
      loads,
    )
    for (const [slot, version] of split) versionOf.set(slot, version)
  }
  const placed = [...able].flatMap((version) => {
    const slots = [...owners].filter(([slot]) => versionOf.get(slot) === version)
    const candidates = workers.filter((worker) => worker.version === version).map(({ id }) => id)
    return [...place(new Map(slots), candidates)]
  })
  return new Map(placed)
}

/** What a group is where nothing is said of it, or where none of its versions is able. */
function servingTraffic(group: string, serving: string | null): GroupTraffic[] {
  if (serving === null) return []
  return [{ group, shares: [{ version: serving, weight: 1 }], weightBy: 'slots' }]
}
