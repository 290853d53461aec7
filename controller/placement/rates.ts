import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { SlotId } from '../../protocol/slot.ts'

/** Time over which a rate is a mean: what was longer ago counts for less and less. */
export const rateWindowMs = 30_000

interface Measured {
  incarnation: number
  nextOffset: number
  /** Monotonic ms of that offset. */
  at: number
  /** Records a second; null before the second look. */
  rate: number | null
}

/** How busy slots are, by how far their owners say they have come. Keeps one number a slot. */
export class SlotRates {
  readonly #slots = new Map<SlotId, Measured>()

  /** A worker's heartbeat came at the monotonic time `now`. */
  note({ slots }: WorkerBeat, now: number): void {
    for (const { slot, incarnation, nextOffset } of slots) {
      const before = this.#slots.get(slot)
      // A store that went back, or a person's reset, is no traffic.
      const isNext = before?.incarnation === incarnation && nextOffset >= before.nextOffset
      if (!isNext) this.#slots.set(slot, { incarnation, nextOffset, at: now, rate: before?.rate ?? null })
      else if (now > before.at)
        this.#slots.set(slot, { incarnation, nextOffset, at: now, rate: meanOf(before, nextOffset, now) })
    }
  }

  /** Records a second, of the slots that were looked at twice. */
  get all(): Map<SlotId, number> {
    return new Map([...this.#slots].flatMap(([slot, { rate }]) => (rate === null ? [] : [[slot, rate]])))
  }
}

/** An exponentially weighted mean: each look counts for as long as it is after the one before. */
function meanOf({ nextOffset: from, at, rate }: Measured, to: number, now: number): number {
  const seconds = (now - at) / 1_000
  const newest = (to - from) / seconds
  if (rate === null) return newest
  const weight = 1 - Math.exp(-(now - at) / rateWindowMs)
  return rate + weight * (newest - rate)
}
