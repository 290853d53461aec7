import type { SlotId } from '../../protocol/slot.ts'

/** What a command keeps in memory beside its record: bookkeeping, and who waits for the answer. */
export const commandOverheadBytes = 1_000

/** One slot may use this share of the bytes that all may have in flight, and one channel this share of its slot's. */
export const shares = { slot: 1 / 4, channel: 1 / 4 }

/** What may be on its way at once; beyond it commands are refused with 111. */
export interface InFlightLimits {
  /** Commands of one slot; a channel may have its share. */
  commands: number
  /** Bytes of all slots together. */
  bytes: number
}

interface Load {
  commands: number
  bytes: number
}

/**
 * What a proxy has on its way into the log and has no answer for, by commands and bytes. A channel that is stuck leaves
 * room for others of its slot, and a slot for other slots.
 */
export class InFlight {
  readonly #limits: InFlightLimits
  readonly #all: Load = { commands: 0, bytes: 0 }
  readonly #slots = new Map<SlotId, Load>()
  readonly #channels = new Map<SlotId, Map<string, Load>>()

  constructor(limits: InFlightLimits) {
    this.#limits = limits
  }

  /** Of all slots together. */
  get total(): Readonly<Load> {
    return this.#all
  }

  /** True when one more command of so many bytes is within every limit. */
  fits(slot: SlotId, channel: string, bytes: number): boolean {
    const { commands: most, bytes: mostBytes } = this.#limits
    const ofSlot = this.#slots.get(slot) ?? nothing
    const ofChannel = this.#channels.get(slot)?.get(channel) ?? nothing
    return (
      ofSlot.commands < most &&
      ofChannel.commands < Math.ceil(most * shares.channel) &&
      this.#all.bytes + bytes <= mostBytes &&
      ofSlot.bytes + bytes <= mostBytes * shares.slot &&
      ofChannel.bytes + bytes <= mostBytes * shares.slot * shares.channel
    )
  }

  /** Adds to what a channel has in flight, or takes from it with values below zero. */
  change(slot: SlotId, channel: string, commands: number, bytes: number): void {
    const ofSlot = this.#slots.getOrInsertComputed(slot, () => ({ commands: 0, bytes: 0 }))
    const channels = this.#channels.getOrInsertComputed(slot, () => new Map<string, Load>())
    const ofChannel = channels.getOrInsertComputed(channel, () => ({ commands: 0, bytes: 0 }))
    for (const load of [this.#all, ofSlot, ofChannel]) {
      load.commands += commands
      load.bytes += bytes
    }
    if (ofChannel.commands === 0) channels.delete(channel)
  }
}

const nothing: Load = { commands: 0, bytes: 0 }
