import type { Store } from '../../store/store.ts'
import { keptResources } from './kept.ts'
import type { KeptResource } from './kept.ts'
import type { Resource } from './resource.ts'

/** A store may go back in time, or be written to by hand: resources are read anew after so long. */
export const resourcesReadMs = 5_000

/** All resources of the cluster at one moment. */
export interface KnownResources {
  /** As the store has them. */
  kept: readonly KeptResource[]
  /** Those that this version of Holdfast understands. */
  understood: readonly Resource[]
}

/**
 * The resources of the cluster as a leader follows them, for all who go by them: read when its term begins, and when
 * some were written. While nothing is read, the answer is the same object.
 */
export class CurrentResources {
  readonly #store: Pick<Store, 'documents'>
  #known: KnownResources = { kept: [], understood: [] }
  #isStale = true
  #readAt = -Infinity

  constructor(store: Pick<Store, 'documents'>) {
    this.#store = store
  }

  /** As they were last read. */
  get latest(): KnownResources {
    return this.#known
  }

  /** They may have been written since they were read. */
  changed(): void {
    this.#isStale = true
  }

  /** All, at the monotonic time `now`. Throws StoreError. */
  async read(now: number): Promise<KnownResources> {
    if (!this.#isStale && now - this.#readAt < resourcesReadMs) return this.#known
    // One that is written from here on may not be in what is read.
    this.#isStale = false
    this.#readAt = now
    try {
      const kept = await keptResources(this.#store)
      this.#known = { kept, understood: kept.flatMap(({ resource }) => resource ?? []) }
      return this.#known
    } catch (error) {
      this.#isStale = true
      throw error
    }
  }
}
