import type { Config } from '../config/config.ts'
import type { StoreEnv } from '../platform/env.ts'
import { untilAnswered } from '../platform/until-answered.ts'
import type { ProxyBeat } from '../protocol/status-record.ts'
import { commandTopic, inboxTopic, parseSlot } from '../protocol/topics.ts'
import { partitionOf } from '../protocol/partition.ts'
import type { Lease } from '../store/store.ts'

/** What every reader had passed at one time: per topic and partition, the first offset that somebody still needed. */
interface Passed {
  /** Monotonic ms. */
  at: number
  places: { topic: string; partition: number; before: number }[]
}

/** Samples taken over one retention time. The log is cut at one of them. */
export const samplesPerRetention = 10

/**
 * Keeps the log bounded: what every reader had passed a retention time ago is removed. The log itself removes nothing,
 * so an owner's next record, or a proxy's, is never gone unnoticed; and a store that went back in time by less than the
 * retention time finds in the log what it lost.
 */
export class Retention {
  readonly #env: StoreEnv
  readonly #config: Config
  #samples: Passed[] = []
  readonly #trimmed = new Map<string, number>()

  constructor(env: StoreEnv, config: Config) {
    this.#env = env
    this.#config = config
  }

  /** Time between two samples, ms. */
  get everyMs(): number {
    return this.#config.topics.retention / samplesPerRetention
  }

  /** Takes a sample and removes what is old enough. `proxies` are all that are not known to be dead. */
  async look(leases: Lease[], proxies: ProxyBeat[], stopped: () => boolean): Promise<void> {
    const now = this.#env.clock.monotonic()
    this.#samples.push({ at: now, places: [...handled(leases), ...(await this.#read(proxies, stopped))] })
    const old = this.#samples.findLastIndex(({ at }) => now - at >= this.#config.topics.retention)
    if (old === -1) return
    const { places } = this.#samples[old]!
    this.#samples = this.#samples.slice(old + 1)
    for (const { topic, partition, before } of places) {
      const name = `${topic}/${partition}`
      if (before <= 0 || before === this.#trimmed.get(name)) continue
      await untilAnswered(this.#env, () => this.#env.log.trim(topic, partition, before), stopped)
      if (stopped()) return
      this.#trimmed.set(name, before)
    }
  }

  /** Where the slowest proxy of each inbox partition is; its end where nobody reads. */
  async #read(proxies: ProxyBeat[], stopped: () => boolean): Promise<Passed['places']> {
    const partitions = this.#config.topics.inbox_partitions
    const readers = Map.groupBy(proxies, ({ id }) => partitionOf(id, partitions))
    const places: Passed['places'] = []
    for (let partition = 0; partition < partitions; partition++) {
      const offsets = readers.get(partition)?.map(({ inboxOffset }) => inboxOffset)
      if (offsets) places.push({ topic: inboxTopic, partition, before: Math.min(...offsets) })
      else {
        const range = await untilAnswered(this.#env, () => this.#env.log.range(inboxTopic, partition), stopped)
        if (range) places.push({ topic: inboxTopic, partition, before: range.next })
      }
    }
    return places
  }
}

/** The record before an owner's next one is kept: its fingerprint shows whether the log is still the same. */
function handled(leases: Lease[]): Passed['places'] {
  return leases.map(({ slot, nextOffset }) => {
    const { group, partition } = parseSlot(slot)
    return { topic: commandTopic(group), partition, before: nextOffset - 1 }
  })
}
