import type { ControlRecord } from '../../protocol/records/control.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import { isFurther } from '../../protocol/slot.ts'
import type { SlotPlace, SlotId } from '../../protocol/slot.ts'

/**
 * How far slots have been said to be, by owners and in hints. The store should never be behind that: when it is, it went
 * back in time, and the next owner of the slot has to know.
 */
export class Announced {
  readonly #places = new Map<SlotId, SlotPlace>()

  /** What a record says of slots; what lies behind what is known already is passed over. */
  note(record: StatusRecord | ControlRecord): void {
    if (record.type === 'heartbeat' && record.role === 'worker')
      for (const { slot, incarnation, nextOffset } of record.slots) this.#reached(slot, { incarnation, nextOffset })
    else if (record.type === 'acquired' && record.place) this.#reached(record.slot, record.place)
    else if (record.type === 'move' && record.announced) this.#reached(record.slot, record.announced)
  }

  /** Null when nothing has been said of the slot. */
  of(slot: SlotId): SlotPlace | null {
    return this.#places.get(slot) ?? null
  }

  #reached(slot: SlotId, place: SlotPlace): void {
    const known = this.#places.get(slot)
    if (known === undefined || isFurther(place, known)) this.#places.set(slot, place)
  }
}
