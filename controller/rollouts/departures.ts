import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'

/** A worker that ended without a word. */
export interface Departed {
  id: string
  version: string
}

/** Notices workers that end without a word: they were live in their last heartbeat, and are not there any more. */
export class Departures {
  #live: Departed[] = []

  /** Those that have gone since the last look. */
  look(workers: readonly WorkerBeat[]): Departed[] {
    const there = new Set(workers.map(({ id }) => id))
    const gone = this.#live.filter(({ id }) => !there.has(id))
    this.#live = workers.filter(({ state }) => state === 'live').map(({ id, version }) => ({ id, version }))
    return gone
  }
}
