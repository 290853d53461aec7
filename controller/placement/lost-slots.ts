import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Lease } from '../../store/store.ts'

/** A live owner whose heartbeats leave a slot out for so many intervals does not have it. */
export const lostAfterBeats = 3

/**
 * Slots whose lease names a live worker that does not have them: it was fenced although nobody else took the slot, as
 * happens when the store goes back in time. Nobody else would ever look after them.
 */
export class LostSlots {
  /** Monotonic ms since which the owner at this epoch has not reported the slot. */
  readonly #since = new Map<SlotId, { epoch: number; at: number }>()
  readonly #lostAfterMs: number

  constructor(heartbeatIntervalMs: number) {
    this.#lostAfterMs = heartbeatIntervalMs * lostAfterBeats
  }

  /** True while some slot may turn out to be lost. */
  get isWatching(): boolean {
    return this.#since.size > 0
  }

  /** Those that are lost by now, at the monotonic time `now`. To be called with each look at the leases. */
  look(leases: Lease[], workers: WorkerBeat[], now: number): Set<SlotId> {
    const live = new Map(workers.map((worker) => [worker.id, worker]))
    const lost = new Set<SlotId>()
    for (const { slot, owner, epoch } of leases) {
      const worker = owner === null ? undefined : live.get(owner)
      if (!worker || worker.claimed.includes(slot) || worker.slots.some((each) => each.slot === slot)) {
        this.#since.delete(slot)
        continue
      }
      const before = this.#since.get(slot)
      if (before?.epoch !== epoch) this.#since.set(slot, { epoch, at: now })
      else if (now - before.at > this.#lostAfterMs) lost.add(slot)
    }
    return lost
  }
}
