import type { Clock } from '../../platform/clock.ts'

/** What there is to tell of a cluster, each with a sentence of what it means. */
export const eventTypes = {
  joined: 'A process is heard of for the first time.',
  state: 'A worker or a proxy begins or stops to take work.',
  left: 'A process said goodbye.',
  died: 'A process is dead.',
  acquired: 'A worker owns a slot from now on.',
  leading: 'This controller leads from now on.',
  drain: 'A worker is to give its slots away.',
  config: 'Processes are to follow another revision of the configuration.',
  rollout: 'A rollout has changed.',
  fault: 'A fault was set or cleared.',
} as const

/** A word of `eventTypes`. */
export type EventType = keyof typeof eventTypes

/** Something that happened, as a controller saw it. */
export interface ClusterEvent {
  /** Says which controller tells, and what its next one will be called: nobody else has it. */
  id: string
  type: EventType
  /** Milliseconds since 1970, by the clock of the controller. */
  time: number
  data: Record<string, unknown>
}

/** Events that are kept for those who come back. */
export const eventsKept = 1_000

/** Tells what happens in the cluster to whoever listens, and keeps the newest for those who come back. */
export class Events {
  readonly #source: string
  readonly #clock: Clock
  readonly #kept: ClusterEvent[] = []
  readonly #listeners = new Set<(event: ClusterEvent) => void>()
  #n = 0

  /** `source` is the id of the controller. */
  constructor(source: string, clock: Clock) {
    this.#source = source
    this.#clock = clock
  }

  publish(type: EventType, data: Record<string, unknown>): void {
    const event = { id: `${this.#source}-${++this.#n}`, type, time: this.#clock.now(), data }
    this.#kept.push(event)
    if (this.#kept.length > eventsKept) this.#kept.shift()
    for (const listener of this.#listeners) listener(event)
  }

  /** All that came after an event, oldest first; null when that is not known: it is too old, or another controller's. */
  since(id: string): ClusterEvent[] | null {
    const at = this.#kept.findIndex((event) => event.id === id)
    return at === -1 ? null : this.#kept.slice(at + 1)
  }

  /** All that are kept, oldest first. */
  get kept(): readonly ClusterEvent[] {
    return this.#kept
  }

  /** Calls back for each event from now on, until what it returns is called. */
  listen(listener: (event: ClusterEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}
