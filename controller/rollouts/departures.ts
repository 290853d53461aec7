import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'

/** A worker that ended, and was not asked to. */
export interface Departed {
  id: string
  version: string
  /** In words that stand after "a worker ended". */
  how: string
}

/** Failed starts between two looks that are remembered. */
export const failedKept = 100

/**
 * Notices workers that end without a word: they were live or starting in their last heartbeat, and are not there any more;
 * and those that say that they cannot serve.
 */
export class Departures {
  #there: Departed[] = []
  #failed: Departed[] = []

  /** Takes note of what was announced. */
  heard(record: StatusRecord): void {
    if (record.type !== 'left' || !record.failed) return
    const { version, why } = record.failed
    this.#failed.push({ id: record.id, version, how: `because it could not start: ${why}` })
    if (this.#failed.length > failedKept) this.#failed.shift()
  }

  /** Failed starts from before this controller led are somebody else's to judge. */
  forget(): void {
    this.#failed.length = 0
  }

  /** Those that have gone since the last look; `starting` are not up yet. */
  look(workers: readonly WorkerBeat[], starting: readonly WorkerBeat[]): Departed[] {
    const there = new Set([...workers, ...starting].map(({ id }) => id))
    const failed = this.#failed.splice(0)
    const said = new Set(failed.map(({ id }) => id))
    const silent = this.#there.filter(({ id }) => !there.has(id) && !said.has(id))
    const live = workers.filter(({ state }) => state === 'live')
    this.#there = [
      ...live.map((worker) => departed(worker, 'without a word')),
      ...starting.map((worker) => departed(worker, 'without a word while it was starting')),
    ]
    return [...silent, ...failed]
  }
}

function departed({ id, version }: WorkerBeat, how: string): Departed {
  return { id, version, how }
}
