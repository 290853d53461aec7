import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { Lease } from '../../store/store.ts'

/** Drains of versions remembered at most; the oldest gives way. */
export const versionDrainsKept = 20

/** What a version that is drained still has; all zero at its end. */
export interface Remaining {
  /** Its workers that live and are not drained. */
  workers: number
  /** Slots that one of them owns, by the leases or as it says itself. */
  slots: number
  /** Records that they have read and not committed. */
  in_flight: number
  /** Outbox rows that are not known to be in the log. */
  outbox: number
}

/** Versions that were asked to drain, with the workers that they had then: those that start later are not meant. */
export class VersionDrains {
  readonly #workers = new Map<string, Set<string>>()

  /** Another drain of the version adds to the one before. */
  start(version: string, ids: Iterable<string>): void {
    this.#workers.set(version, new Set([...(this.#workers.get(version) ?? []), ...ids]))
    if (this.#workers.size > versionDrainsKept) this.#workers.delete(this.#workers.keys().next().value!)
  }

  /** Ids of the workers that were asked; undefined when the version was not. */
  workersOf(version: string): ReadonlySet<string> | undefined {
    return this.#workers.get(version)
  }

  /** All that were asked, and what they still have. */
  remaining(workers: readonly WorkerBeat[], leases: readonly Lease[]): Map<string, Remaining> {
    return new Map([...this.#workers].map(([version, ids]) => [version, remainingOf(ids, workers, leases)]))
  }
}

/** What these workers still have. Pure. */
export function remainingOf(
  ids: ReadonlySet<string>,
  workers: readonly WorkerBeat[],
  leases: readonly Lease[],
): Remaining {
  const mine = workers.filter(({ id }) => ids.has(id))
  const sum = (of: (worker: WorkerBeat) => number) => mine.reduce((before, worker) => before + of(worker), 0)
  const live = new Set(mine.map(({ id }) => id))
  const slots = new Set([
    ...leases.filter(({ owner }) => owner !== null && live.has(owner)).map(({ slot }) => slot),
    ...mine.flatMap((worker) => worker.slots.map(({ slot }) => slot)),
  ])
  return {
    workers: mine.filter(({ state }) => state !== 'drained').length,
    slots: slots.size,
    in_flight: sum(({ inFlight }) => inFlight),
    outbox: sum(({ outbox }) => outbox),
  }
}
