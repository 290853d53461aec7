import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { Lease } from '../../store/store.ts'

/** Drains remembered at most; the oldest gives way. */
export const drainsKept = { workers: 100, versions: 20 }

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

/** Workers that were asked to drain, by themselves or as those of a version, and what that has come to. */
export class Drains {
  /** The pause of each slot that moved, in ms, by the worker that was asked. */
  readonly #pauses = new Map<string, number[]>()
  /** By version the workers that it had then: those that start later are not meant. */
  readonly #versions = new Map<string, Set<string>>()

  /** A worker is asked to drain; one that was asked before keeps its pauses. */
  start(worker: string): void {
    if (this.#pauses.has(worker)) return
    this.#pauses.set(worker, [])
    trim(this.#pauses, drainsKept.workers)
  }

  /** All these workers of a version are asked; another drain of the version adds to the one before. */
  startVersion(version: string, workers: readonly string[]): void {
    for (const worker of workers) this.start(worker)
    this.#versions.set(version, new Set([...(this.#versions.get(version) ?? []), ...workers]))
    trim(this.#versions, drainsKept.versions)
  }

  /** A slot has moved; `from` is its owner before, when that let go. */
  pause(from: string | null, pauseMs: number): void {
    if (from !== null) this.#pauses.get(from)?.push(pauseMs)
  }

  /** Undefined when the worker was never asked to drain. */
  pausesOf(worker: string): number[] | undefined {
    return this.#pauses.get(worker)
  }

  /** Ids of the workers that were asked; undefined when the version was not. */
  workersOf(version: string): ReadonlySet<string> | undefined {
    return this.#versions.get(version)
  }

  /** By version that was asked, what it still has. */
  remaining(workers: readonly WorkerBeat[], leases: readonly Lease[]): Map<string, Remaining> {
    return new Map([...this.#versions].map(([version, ids]) => [version, remainingOf(ids, workers, leases)]))
  }
}

function trim(map: Map<string, unknown>, most: number): void {
  if (map.size > most) map.delete(map.keys().next().value!)
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
