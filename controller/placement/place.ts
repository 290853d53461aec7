import type { SlotId } from '../../protocol/slot.ts'

/**
 * Who should own which slot: every worker gets ⌊n/w⌋ or ⌈n/w⌉ slots, and as few as possible move. Slots of owners that
 * are no candidates move; of the others only what exceeds their share. Pure; the order of `slots` and `workers`
 * decides ties. Empty when there are no workers.
 */
export function place(slots: ReadonlyMap<SlotId, string | null>, workers: readonly string[]): Map<SlotId, string> {
  const placed = new Map<SlotId, string>()
  if (workers.length === 0) return placed
  const held = new Map<string, SlotId[]>(workers.map((worker) => [worker, []]))
  const homeless: SlotId[] = []
  for (const [slot, owner] of slots) {
    const mine = owner === null ? undefined : held.get(owner)
    if (mine) mine.push(slot)
    else homeless.push(slot)
  }
  // The workers that hold most keep the larger shares: that moves least.
  const base = Math.floor(slots.size / workers.length)
  const larger = slots.size % workers.length
  const byHeld = [...held].sort(([, a], [, b]) => b.length - a.length)
  const shares = new Map(byHeld.map(([worker], index) => [worker, base + (index < larger ? 1 : 0)]))
  for (const [worker, mine] of held) homeless.push(...mine.splice(shares.get(worker)!))
  for (const [worker, mine] of held) {
    mine.push(...homeless.splice(0, shares.get(worker)! - mine.length))
    for (const slot of mine) placed.set(slot, worker)
  }
  return placed
}
