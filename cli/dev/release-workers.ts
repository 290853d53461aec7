import type { Logger } from 'pino'
import type { Release } from '../releases/release.ts'
import type { SupervisedChild } from './supervised-child.ts'
import type { ChildGroup } from './supervisor.ts'
import { planWorkers, wantedHere } from './worker-plan.ts'
import type { RunningVersions, SeenVersion } from './worker-plan.ts'

/** What the controller says. */
export interface SeenCluster {
  versions: readonly SeenVersion[]
  /** The version that serves; null before any does. */
  serving: string | null
}

/** The releases that are kept, and what is noted of them for the next start. */
export interface KeptReleases {
  find(version: string): Release | null
  readonly current: Release | null
  setCurrent(version: string): void
  readonly wanted: readonly Release[]
  setWanted(versions: readonly string[]): void
}

/** Who runs the processes. */
export interface Crew {
  add(group: ChildGroup): SupervisedChild[]
  remove(children: readonly SupervisedChild[]): Promise<void>
}

/** What the workers of releases are made of. */
export interface ReleaseWorkersOptions {
  releases: KeptReleases
  /** What runs in any case until the controller says what is wanted. */
  first: Release
  crew: Crew
  /** The processes of a release. */
  groupOf: (release: Release) => ChildGroup
  /** Asks the controller; null while none leads. */
  look: () => Promise<SeenCluster | null>
  logger: Logger
}

/** Time between two looks at which versions are wanted. */
export const releasesLookMs = 300

/**
 * Runs the workers of the releases that the controller wants, and stops those of others. With the controller away nothing
 * changes, and what cannot start harms nobody else.
 */
export class ReleaseWorkers {
  readonly #options: ReleaseWorkersOptions
  readonly #children = new Map<string, SupervisedChild[]>()
  #running: RunningVersions = new Map()
  #wanted: ReadonlySet<string> = new Set()

  constructor(options: ReleaseWorkersOptions) {
    this.#options = options
  }

  /** Starts what ran last, and begins to look. */
  start(): void {
    const { releases, first } = this.#options
    const all = [first, ...releases.wanted.filter(({ version }) => version !== first.version)]
    for (const release of all) this.#begin(release, release !== first || release.kind !== 'configured')
    this.#running = new Map(all.map(({ version }) => [version, { unwantedSince: null }]))
    this.#wanted = new Set(this.#running.keys())
    this.#note(first.version)
    this.#lookAgain()
  }

  #lookAgain(): void {
    setTimeout(() => {
      this.#look()
        .catch((error: unknown) => this.#options.logger.error({ err: error }, 'cannot see to the releases'))
        .finally(() => this.#lookAgain())
    }, releasesLookMs).unref()
  }

  async #look(): Promise<void> {
    const { releases, look, logger, crew } = this.#options
    const seen = await look()
    if (seen === null) return
    this.#wanted = wantedHere(seen.versions, (version) => releases.find(version) !== null, this.#running)
    const plan = planWorkers(this.#wanted, this.#running, performance.now())
    this.#running = plan.running
    for (const version of plan.start) {
      logger.info({ version }, 'starts the workers of a release')
      this.#begin(releases.find(version)!, true)
    }
    for (const version of plan.stop) {
      logger.info({ version }, 'stops the workers of a release that is not wanted any more')
      const children = this.#children.get(version) ?? []
      this.#children.delete(version)
      void crew.remove(children)
    }
    this.#note(seen.serving)
  }

  /** One that may fail to start is tried again and again: others go on meanwhile. */
  #begin(release: Release, mayFail: boolean): void {
    const { crew, groupOf } = this.#options
    const { version } = release
    const again = async (): Promise<boolean> => {
      await this.#look()
      return this.#wanted.has(version)
    }
    this.#children.set(version, crew.add({ ...groupOf(release), mayFail, again }))
  }

  /** For the next start. */
  #note(serving: string | null): void {
    const { releases } = this.#options
    const wanted = [...this.#wanted].sort()
    const noted = releases.wanted.map(({ version }) => version)
    if (wanted.join(' ') !== noted.join(' ')) releases.setWanted(wanted)
    if (serving === null || releases.current?.version === serving || releases.find(serving) === null) return
    releases.setCurrent(serving)
  }
}
