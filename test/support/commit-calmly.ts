/** The commit of an owner that no fault befalls. */
import type { StoreEnv } from '../../cluster/env.ts'
import type { Commit } from '../../store/store.ts'
import { commit } from '../../worker/slot/commit.ts'
import type { Committed } from '../../worker/slot/commit.ts'
import type { SlotMemory } from '../../worker/slot/memory.ts'
import { SlotFaults } from '../../worker/slot/slot-faults.ts'

/** As a worker commits what is no batch. */
export function commitCalmly(env: StoreEnv, change: Commit): Promise<Committed> {
  const stopped = () => false
  const memory = { lease: { slot: change.slot } } as SlotMemory
  const faults = new SlotFaults(env, memory, { version: 'v', killing: async () => false, stopped })
  return commit(env, change, { version: 'v', items: [], faults, stopped })
}
