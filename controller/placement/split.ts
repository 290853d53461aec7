import type { SlotId } from '../../protocol/slot.ts'
import type { GroupTraffic, Share } from './traffic.ts'

/** A slot as it is before it is given to a version. */
export interface SplitSlot {
  slot: SlotId
  /** Its owner and the version of that, where that can keep it; null where it has to move anyway. */
  holder: { worker: string; version: string } | null
  /** Commands a second. */
  rate: number
}

/** Share of a group's commands that a split by traffic may be off by before a slot moves only to come nearer. */
export const trafficTolerance = 0.03

/** Slots that each worker has, of whatever group. */
export type Loads = Map<string, number>

/**
 * Which version should own each slot of a group. By slots, every version has its weight to within one slot, and as it is
 * stays what fits that already; otherwise the coldest slots move, and no more than must. By traffic, slots move while
 * that brings the measured shares nearer to the weights by more than `trafficTolerance`. What a worker loses is taken off
 * its load: so the next group takes from others, and no slot moves only to even out what is left.
 */
export function splitGroup(
  slots: readonly SplitSlot[],
  { shares, weightBy }: GroupTraffic,
  loads: Loads,
): Map<SlotId, string> {
  const total = slots.reduce((sum, { rate }) => sum + rate, 0)
  return weightBy === 'traffic' && total > 0 ? splitByTraffic(slots, shares, total) : splitBySlots(slots, shares, loads)
}

function splitBySlots(slots: readonly SplitSlot[], shares: readonly Share[], loads: Loads): Map<SlotId, string> {
  const held = new Map<string, SplitSlot[]>(shares.map(({ version }) => [version, []]))
  const homeless: SplitSlot[] = []
  for (const slot of slots) (held.get(slot.holder?.version ?? '') ?? homeless).push(slot)
  const counts = wantedCounts(slots.length, shares, new Map([...held].map(([version, mine]) => [version, mine.length])))
  const split = new Map<SlotId, string>()
  for (const [version, mine] of held) homeless.push(...cutOff(mine, mine.length - counts.get(version)!, loads))
  for (const [version, mine] of held) {
    mine.push(...homeless.splice(0, counts.get(version)! - mine.length))
    for (const { slot } of mine) split.set(slot, version)
  }
  return split
}

/** Takes so many slots out of `mine`: from whoever has most the coldest. */
function cutOff(mine: SplitSlot[], count: number, loads: Loads): SplitSlot[] {
  const off: SplitSlot[] = []
  while (off.length < count) {
    const loadOf = ({ holder }: SplitSlot) => loads.get(holder!.worker)!
    const next = mine.reduce((a, b) => ((loadOf(b) - loadOf(a) || a.rate - b.rate) > 0 ? b : a))
    mine.splice(mine.indexOf(next), 1)
    off.push(next)
    loads.set(next.holder!.worker, loadOf(next) - 1)
  }
  return off
}

/**
 * Slots of each version, within one of its weight: what it holds where all of that fits, else by the largest remainder
 * (Hamilton's method; ties go to whoever holds more, then to the first).
 */
export function wantedCounts(
  slots: number,
  shares: readonly Share[],
  held: ReadonlyMap<string, number>,
): Map<string, number> {
  const sum = shares.reduce((before, { weight }) => before + weight, 0)
  const exact = shares.map(({ version, weight }) => ({ version, quota: (slots * weight) / sum }))
  const fits = ({ version, quota }: { version: string; quota: number }) => Math.abs(held.get(version)! - quota) < 1
  const heldSum = shares.reduce((before, { version }) => before + held.get(version)!, 0)
  if (heldSum === slots && exact.every(fits)) return new Map(held)
  const counts = new Map(exact.map(({ version, quota }) => [version, Math.floor(quota)]))
  const left = slots - [...counts.values()].reduce((before, count) => before + count, 0)
  const byRemainder = exact.toSorted(
    (a, b) => (b.quota % 1) - (a.quota % 1) || held.get(b.version)! - held.get(a.version)!,
  )
  for (const { version } of byRemainder.slice(0, left)) counts.set(version, counts.get(version)! + 1)
  return counts
}

/** How many commands a second a version has above what it is to have. */
type Excess = Map<string, number>

function splitByTraffic(slots: readonly SplitSlot[], shares: readonly Share[], total: number): Map<SlotId, string> {
  const sum = shares.reduce((before, { weight }) => before + weight, 0)
  const weighted = shares.filter(({ weight }) => weight > 0)
  const excess: Excess = new Map(weighted.map(({ version, weight }) => [version, (-total * weight) / sum]))
  const split = new Map<SlotId, string>()
  const give = ({ slot, rate }: SplitSlot, to: string) => {
    const from = split.get(slot)
    if (from !== undefined) excess.set(from, excess.get(from)! - rate)
    excess.set(to, excess.get(to)! + rate)
    split.set(slot, to)
  }
  const homeless = slots.filter(({ holder }) => holder === null || !excess.has(holder.version))
  for (const slot of slots) if (!homeless.includes(slot)) give(slot, slot.holder!.version)
  for (const slot of homeless.toSorted((a, b) => b.rate - a.rate)) give(slot, furthest(excess, -1))
  for (let moves = 0; moves < slots.length; moves += 1) {
    const [over, under] = [furthest(excess, 1), furthest(excess, -1)]
    const off = (rate: number) => Math.abs(excess.get(over)! - rate) + Math.abs(excess.get(under)! + rate)
    const mine = slots.filter(({ slot }) => split.get(slot) === over)
    const best = mine.toSorted((a, b) => off(a.rate) - off(b.rate) || a.rate - b.rate)[0]
    if (best === undefined || off(0) - off(best.rate) <= 2 * trafficTolerance * total) break
    give(best, under)
  }
  return split
}

/** The version with the largest excess (1), or the largest lack (-1). */
function furthest(excess: Excess, sign: 1 | -1): string {
  return [...excess].reduce((before, each) => (sign * each[1] > sign * before[1] ? each : before))[0]
}
