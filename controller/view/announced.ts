import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { SlotPlace, SlotId } from '../../protocol/slot.ts'

/**
 * How far owners have said their slots were. The store should never be behind that: when it is, it went back in time,
 * and the next owner of the slot has to know.
 */
export class Announced {
  readonly #places = new Map<SlotId, SlotPlace>()

  /** A heartbeat tells how far its worker is; what lies behind what is known already is passed over. */
  note({ slots }: WorkerBeat): void {
    for (const { slot, incarnation, nextOffset } of slots) {
      const known = this.#places.get(slot)
      if (
        known &&
        (known.incarnation > incarnation || (known.incarnation === incarnation && known.nextOffset >= nextOffset))
      )
        continue
      this.#places.set(slot, { incarnation, nextOffset })
    }
  }

  /** Null when no owner has been heard of. */
  of(slot: SlotId): SlotPlace | null {
    return this.#places.get(slot) ?? null
  }
}
