import type { ChannelState, Commit, Lease, SlotState } from '../../store/store.ts'

/** A channel in memory, as the store has it. */
export interface Channel {
  name: string
  epoch: string
  top: number
  lastTime: number
  interest: ReadonlySet<string>
}

/** A channel as the store has it, without the interest of instances that are retired. */
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

  /** Undefined when it has to be loaded; otherwise it was used last. */
  get(name: string): Channel | undefined {
    const channel = this.#channels.get(name)
    if (channel) {
      this.#channels.delete(name)
      this.#channels.set(name, channel)
    }
    return channel
  }

  /** Puts a channel in, or its newer state; the one that was not used for longest may go for it. */
  set(channel: Channel): void {
    this.#channels.delete(channel.name)
    this.#channels.set(channel.name, channel)
    if (this.#channels.size > this.#max) this.#channels.delete(this.#channels.keys().next().value!)
  }

  delete(name: string): void {
    this.#channels.delete(name)
  }

  /** What it holds may be wrong: all of it is loaded anew. */
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

/** What an owner knows at first: what the store told it with the lease. */
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

/** What a committed batch tells its owner. */
interface Remembered {
  commit: Pick<Commit, 'next' | 'fingerprint' | 'producers'>
  /** As they are now. */
  channels: ReadonlyMap<string, Channel>
  /** Channels that are none: nobody has them, and they never had a message. */
  absent: string[]
  /** Instances that are retired. */
  gone: string[]
}

/** What a committed batch changes of what its owner knows. Returns the memory. */
export function remember(memory: SlotMemory, cache: ChannelCache, done: Remembered): SlotMemory {
  const { commit, channels, absent, gone } = done
  memory.nextOffset = commit.next
  memory.fingerprint = commit.fingerprint
  for (const [producer, n] of commit.producers) memory.producers.set(producer, n)
  for (const channel of channels.values()) cache.set(channel)
  for (const name of absent) cache.delete(name)
  for (const instance of gone) {
    memory.tombstones.add(instance)
    for (const producer of memory.producers.keys())
      if (producer.startsWith(`${instance}.`)) memory.producers.delete(producer)
    cache.forgetInstance(instance)
  }
  return memory
}
