import type { Clock } from '../platform/clock.ts'
import type { SlotId } from '../store/store.ts'

/** Channels asked for in one command. */
export const topsMax = 1_000

/** Sends a `tops` command; `settle` is called once it is answered, or its answer is lost. */
type Send = (slot: SlotId, payload: Buffer, settle: () => void) => number | null

/**
 * Asks slots for the tops of channels in batches, and knows when which batch was asked for: an answer says nothing
 * about a channel that opened later.
 */
export class PositionCheck {
  readonly #clock: Clock
  readonly #send: Send
  /** Monotonic ms of each question that is open, by its number. */
  readonly #asked = new Map<SlotId, Map<number, number>>()

  constructor(clock: Clock, send: Send) {
    this.#clock = clock
    this.#send = send
  }

  /** A slot that has not answered the last time is not asked again: nothing piles up where it stands still. */
  ask(channels: Map<SlotId, { name: string }[]>): void {
    for (const [slot, open] of channels) {
      if (this.#asked.has(slot)) continue
      const names = open.map(({ name }) => name)
      for (let at = 0; at < names.length; at += topsMax) this.#askFor(slot, names.slice(at, at + topsMax))
    }
  }

  /** Minus infinity when the question is not known: then no channel is compared. */
  askedAt(slot: SlotId, n: number): number {
    return this.#asked.get(slot)?.get(n) ?? -Infinity
  }

  #askFor(slot: SlotId, names: string[]): void {
    const asked = this.#asked.getOrInsertComputed(slot, () => new Map<number, number>())
    const n = this.#send(slot, Buffer.from(JSON.stringify(names)), () => {
      if (n !== null) asked.delete(n)
      if (asked.size === 0) this.#asked.delete(slot)
    })
    if (n !== null) asked.set(n, this.#clock.monotonic())
  }
}
