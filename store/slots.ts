import { StoreError } from './errors.ts'
import type { Store } from './store.ts'

/**
 * Makes the slots of a group, of that origin, or checks that it was made with as many: their number is for good. Rejects
 * with a StoreError `damaged` when it was another; `key` is where a person wrote it.
 */
export async function pinSlots(
  store: Pick<Store, 'createGroup'>,
  group: string,
  slots: number,
  origin: string,
  key: string,
): Promise<void> {
  const pinned = await store.createGroup(group, slots, origin)
  if (pinned !== slots)
    throw new StoreError('damaged', `${key} is ${slots}, but the cluster was made with ${pinned}, for good`)
}
