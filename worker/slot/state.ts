import type { ChannelState, Lease, SlotState } from '../../store/store.ts'

/** A channel in memory, as the store has it. */
export interface Channel {
  name: string
  epoch: string
  top: number
  lastTime: number
  interest: ReadonlySet<string>
}

export function channelFrom(state: ChannelState, tombstones: ReadonlySet<string>): Channel {
  const { name, epoch, top, lastTime } = state
  // Rows of retired instances are removed little by little; they count no more from the tombstone on.
  return { name, epoch, top, lastTime, interest: new Set(state.interest.filter((id) => !tombstones.has(id))) }
}

/** A bounded cache of channels: the least recently used gives way. */
export class ChannelCache {
  readonly #max: number
  readonly #channels = new Map<string, Channel>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#channels.size
  }

  get(name: string): Channel | undefined {
    const channel = this.#channels.get(name)
    if (channel) {
      this.#channels.delete(name)
      this.#channels.set(name, channel)
    }
    return channel
  }

  set(channel: Channel): void {
    this.#channels.delete(channel.name)
    this.#channels.set(channel.name, channel)
    if (this.#channels.size > this.#max) this.#channels.delete(this.#channels.keys().next().value!)
  }

  delete(name: string): void {
    this.#channels.delete(name)
  }

  clear(): void {
    this.#channels.clear()
  }

  /** Forgets an instance in every channel. */
  forgetInstance(instance: string): void {
    for (const channel of this.#channels.values()) {
      if (!channel.interest.has(instance)) continue
      const interest = new Set(channel.interest)
      interest.delete(instance)
      channel.interest = interest
    }
  }
}

/** What an owner knows of its slot apart from channels. */
export interface SlotMemory {
  lease: Lease
  token: string
  nextOffset: number
  fingerprint: string | null
  producers: Map<string, number>
  tombstones: Set<string>
}

export function memoryOf(state: SlotState): SlotMemory {
  return {
    lease: state.lease,
    token: state.lease.token!,
    nextOffset: state.lease.nextOffset,
    fingerprint: state.lease.fingerprint,
    producers: new Map(state.producers),
    tombstones: new Set(state.tombstones.map(({ instance }) => instance)),
  }
}
