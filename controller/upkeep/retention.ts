import type { StoreEnv } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import type { Config } from '../../config/config.ts'
import { partitionOf } from '../../protocol/partition.ts'
import type { ProxyBeat } from '../../protocol/records/heartbeat.ts'
import { commandTopic, inboxTopic } from '../../protocol/records/topics.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { Lease } from '../../store/store.ts'

/** The first offset of a partition that somebody still needs. */
export interface Place {
  topic: string
  partition: number
  before: number
}

/** Samples taken over the time that records are kept. The log is cut at one of them. */
export const samplesPerRetention = 10

/**
 * How long records are kept after every reader has passed them. Commands for a retention time: a store that goes back in
 * time finds there what it lost. Inboxes are read by living proxies alone, and a new one begins at their end: what all
 * have passed nobody needs, so they are kept just as long as it takes, twice over, to know that a silent proxy is dead.
 */
export function keptMs({ topics, controller }: Config): { commands: number; inboxes: number } {
  return { commands: topics.retention, inboxes: Math.min(topics.retention, 2 * controller.proxy_death_time) }
}

/**
 * Keeps a part of the log bounded: what every reader had passed so long ago is removed. The log itself removes nothing,
 * so an owner's next record, or a proxy's, is never gone unnoticed.
 */
export class Retention {
  readonly #env: StoreEnv
  readonly #keptMs: number
  /** What every reader had passed, and when, in monotonic ms. */
  #samples: { at: number; places: Place[] }[] = []
  readonly #trimmed = new Map<string, number>()

  constructor(env: StoreEnv, keptMs: number) {
    this.#env = env
    this.#keptMs = keptMs
  }

  /** Time between two samples, ms. */
  get everyMs(): number {
    return this.#keptMs / samplesPerRetention
  }

  /** Takes what every reader has passed by now as a sample, and removes what is old enough. */
  async look(places: Place[], stopped: () => boolean): Promise<void> {
    const now = this.#env.clock.monotonic()
    this.#samples.push({ at: now, places })
    const old = this.#samples.findLastIndex(({ at }) => now - at >= this.#keptMs)
    if (old === -1) return
    const since = this.#samples.slice(old)
    this.#samples = since.slice(1)
    for (const { topic, partition, before } of passedInAll(since)) {
      const name = `${topic}/${partition}`
      if (before <= 0 || before === this.#trimmed.get(name)) continue
      await untilAnswered(this.#env, () => this.#env.log.trim(topic, partition, before), stopped)
      if (stopped()) return
      this.#trimmed.set(name, before)
    }
  }
}

/**
 * What the first sample says was passed, and every later one too: where a place has gone back, the topic was made anew,
 * and an older sample speaks of another one.
 */
function passedInAll(samples: { places: Place[] }[]): Place[] {
  const least = new Map<string, Place>()
  for (const place of samples.flatMap(({ places }) => places)) {
    const name = `${place.topic}/${place.partition}`
    const known = least.get(name)
    if (known === undefined || place.before < known.before) least.set(name, place)
  }
  return [...least.values()]
}

/** The record before an owner's next one is kept: its fingerprint shows whether the log is still the same. */
export function handledCommands(leases: Lease[]): Place[] {
  return leases.map(({ slot, nextOffset }) => {
    const { group, partition } = parseSlot(slot)
    return { topic: commandTopic(group), partition, before: nextOffset - 1 }
  })
}

/**
 * Where the slowest proxy of each inbox partition is; its end where nobody reads. `proxies` are all that are not known to
 * be dead.
 */
export async function readInboxes(
  env: StoreEnv,
  partitions: number,
  proxies: ProxyBeat[],
  stopped: () => boolean,
): Promise<Place[]> {
  const readers = Map.groupBy(proxies, ({ id }) => partitionOf(id, partitions))
  const places: Place[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const offsets = readers.get(partition)?.map(({ inboxOffset }) => inboxOffset)
    if (offsets) places.push({ topic: inboxTopic, partition, before: Math.min(...offsets) })
    else {
      const range = await untilAnswered(env, () => env.log.range(inboxTopic, partition), stopped)
      if (range) places.push({ topic: inboxTopic, partition, before: range.next })
    }
  }
  return places
}
