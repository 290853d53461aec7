import type { StoreEnv } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { FencedOut } from './errors.ts'

/** Interest rows of a retired instance removed in one transaction. */
export const pruneChunk = 500

/** Removes one chunk of a retired instance's interest, between batches. True when none is left; throws FencedOut. */
export async function pruneNext(
  env: StoreEnv,
  slot: SlotId,
  token: string,
  instance: string,
  stopped: () => boolean,
): Promise<boolean> {
  const result = await untilAnswered(env, () => env.store.pruneInterest(slot, token, instance, pruneChunk), stopped)
  if (result === null || result === 'fenced') throw new FencedOut()
  return result === 'done'
}
