import type { Store } from '../../store/store.ts'
import { keptResources } from './kept.ts'
import type { Resource } from './resource.ts'

/** A store may go back in time, or be written to by hand: resources are read anew after so long. */
export const resourcesReadMs = 5_000

/** The resources of the cluster as a leader follows them: read when its term begins, and when it has written some. */
export class CurrentResources {
  readonly #store: Pick<Store, 'documents'>
  #known: readonly Resource[] | null = null
  #readAt = 0

  constructor(store: Pick<Store, 'documents'>) {
    this.#store = store
  }

  /** As they were last read. */
  get latest(): readonly Resource[] {
    return this.#known ?? []
  }

  /** They may have been written since they were read. */
  changed(): void {
    this.#known = null
  }

  /** All that this version of Holdfast understands, at the monotonic time `now`. Throws StoreError. */
  async read(now: number): Promise<readonly Resource[]> {
    if (this.#known !== null && now - this.#readAt < resourcesReadMs) return this.#known
    this.#readAt = now
    const read: readonly Resource[] = []
    this.#known = read
    const resources = await keptResources(this.#store).catch((error: unknown) => {
      this.#known = null
      throw error
    })
    const understood = resources.flatMap(({ resource }) => resource ?? [])
    // One that was written meanwhile is not in it.
    if (this.#known === read) this.#known = understood
    return understood
  }
}
