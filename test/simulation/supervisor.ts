/** Starts and ends workers as the controllers want their versions, by the rules of `holdfast dev`. */
import { planWorkers, wantedHere } from '../../cli/dev/worker-plan.ts'
import type { RunningVersions } from '../../cli/dev/worker-plan.ts'
import type { Cluster } from './cluster.ts'
import type { Seeded } from './seeded.ts'

/** Time between two looks, ms. */
const lookMs = 200
/** Mean time between two outages of a version, and how long one lasts at most, ms. */
const outageEveryMs = 2_500
const outageMs = 3_000

/** Keeps so many workers of each version that is wanted. */
export class Supervisor {
  readonly #cluster: Cluster
  readonly #random: Seeded
  #running: RunningVersions
  /** Versions of which no worker can be started. */
  readonly #out = new Set<string>()
  /** By version. */
  readonly #starting = new Map<string, number>()

  constructor(cluster: Cluster, first: string) {
    this.#cluster = cluster
    this.#random = cluster.random.fork('supervisor')
    this.#running = new Map([[first, { unwantedSince: null }]])
  }

  start(): void {
    this.#look()
  }

  /** Now and then all workers of a version die, and none comes up for a while, until `isOver`. */
  startOutages(isOver: () => boolean): void {
    const { scheduler, processes } = this.#cluster
    scheduler.after(this.#random.between(0, outageEveryMs * 2), null, 'an outage of a version', () => {
      if (isOver()) return
      const version = this.#random.pick([...this.#running.keys()])
      this.#out.add(version)
      processes.killVersion(version)
      scheduler.after(this.#random.between(0, outageMs), null, `${version} can be started`, () =>
        this.#out.delete(version),
      )
      this.startOutages(isOver)
    })
  }

  /** All can be started. */
  heal(): void {
    this.#out.clear()
  }

  #look(): void {
    const { scheduler, processes } = this.#cluster
    const seen = processes.versionsWanted
    if (seen !== null) {
      const wanted = wantedHere(seen, () => true, this.#running)
      const plan = planWorkers(wanted, this.#running, scheduler.now)
      this.#running = plan.running
      for (const version of plan.stop) processes.stopVersion(version)
    }
    for (const version of this.#running.keys()) this.#fill(version)
    scheduler.after(lookMs, null, 'supervisor looks', () => this.#look())
  }

  #fill(version: string): void {
    if (this.#out.has(version)) return
    const { processes, parameters } = this.#cluster
    const live = processes.versions
      .values()
      .filter((each) => each === version)
      .toArray().length
    const starting = this.#starting.get(version) ?? 0
    for (let left = parameters.releases!.workers - live - starting; left > 0; left--) {
      this.#starting.set(version, (this.#starting.get(version) ?? 0) + 1)
      processes.startWorkerLater(version, () => {
        this.#starting.set(version, this.#starting.get(version)! - 1)
        return this.#running.has(version) && !this.#out.has(version)
      })
    }
  }
}
