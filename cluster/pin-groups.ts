import type { Config } from '../config/config.ts'
import { StoreError } from '../store/errors.ts'
import { pinSlots } from '../store/slots.ts'
import type { Store } from '../store/store.ts'
import { contradictionOf, namespaceGroups, slotGroups } from './slot-groups.ts'

/**
 * Looks whether the namespaces that are configured are in the groups in which they were used. Rejects with a StoreError
 * `damaged`, which says what to do, when one is not: its rooms would be elsewhere than their history.
 */
export async function checkNamespaces(store: Pick<Store, 'namespaces'>, config: Config): Promise<void> {
  if (config.channel.namespaces.length === 0) return
  const contradiction = contradictionOf(config, await store.namespaces())
  if (contradiction !== null) throw new StoreError('damaged', contradiction)
}

/**
 * Makes the slots of all groups, of that origin, and notes which group each namespace belongs to; or checks that both are
 * as they were, for good. Rejects with a StoreError `damaged` when they are not; then nothing is noted.
 */
export async function pinGroups(
  store: Pick<Store, 'createGroup' | 'namespaces' | 'pinNamespaces'>,
  config: Config,
  origin: string,
): Promise<void> {
  await checkNamespaces(store, config)
  for (const { name, slots, slotsKey } of slotGroups(config)) await pinSlots(store, name, slots, origin, slotsKey)
  const wanted = namespaceGroups(config)
  if (wanted.length === 0) return
  await store.pinNamespaces(wanted)
  // Somebody else may have been faster, and of another opinion.
  await checkNamespaces(store, config)
}
