import type { StoreEnv } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import { commitBytesMax } from '../../protocol/records/sizes.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { commitBytes } from '../../store/commit-size.ts'
import { StoreError } from '../../store/errors.ts'
import type { Commit, CommitResult, Lease } from '../../store/store.ts'
import type { BatchItem } from './batch.ts'
import type { SlotFaults } from './slot-faults.ts'

/**
 * What became of a commit: `refused` by the store, which takes none like it, now or later; `duplicate`: a row exists that
 * must be new, so what this owner believes of a channel is wrong. In both cases nothing was changed.
 */
export type Committed = CommitResult | 'refused' | 'duplicate'

/** Whose commit it is, of which records, and what may befall it. */
export interface Committing {
  version: string
  /** None for one that only tidies. */
  items: BatchItem[]
  faults: SlotFaults
  stopped: () => boolean
}

/**
 * Commits whatever happens to the connection. What a store may not take in one request it is not asked to. Rejects when
 * the store is damaged.
 */
export async function commit(env: StoreEnv, change: Commit, how: Committing): Promise<Committed> {
  const { slot, expected: nextOffset } = change
  const bytes = commitBytes(change)
  if (bytes > commitBytesMax) {
    env.logger.error({ slot, bytes, nextOffset }, 'a commit is too large')
    return 'refused'
  }
  const start = env.clock.monotonic()
  const outcome = await attempt(env, change, how)
  env.metrics.commitDuration.observe({ version: how.version, outcome }, (env.clock.monotonic() - start) / 1000)
  return outcome
}

async function attempt(env: StoreEnv, change: Commit, how: Committing): Promise<Committed> {
  try {
    return await untilKnown(env, change, how)
  } catch (error) {
    if (!(error instanceof StoreError) || (error.code !== 'duplicate' && error.code !== 'refused')) throw error
    env.logger.error({ err: error, slot: change.slot, nextOffset: change.expected }, 'the store refuses a commit')
    return error.code
  }
}

/** When the outcome is unknown, the lease tells it before anything is emitted or tried again. */
async function untilKnown(
  env: StoreEnv,
  change: Commit,
  { items, faults, stopped }: Committing,
): Promise<CommitResult> {
  while (!stopped()) {
    try {
      await faults.beforeCommit(items)
      const result = await faults.asked(() => env.store.commit(change))
      await faults.afterCommit(items)
      return result
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error
      env.metrics.commitsUnknown.inc()
    }
    const lease = await untilAnswered(env, () => faults.asked(() => env.store.lease(change.slot)), stopped)
    if (lease === null) break
    const outcome = outcomeOf(change, lease)
    if (outcome !== 'again') return outcome
  }
  return 'fenced'
}

/** What became of a commit, told by the lease. A commit that moves nothing may be repeated. */
function outcomeOf(change: Commit, lease: Lease): CommitResult | 'again' {
  if (lease.token !== change.token) return 'fenced'
  if (lease.nextOffset === change.expected) return 'again'
  return lease.nextOffset === change.next ? 'committed' : 'fenced'
}

/** A commit that changes nothing but the outbox: rows that are done go. */
export function tidyingCommit(
  {
    slot,
    token,
    nextOffset,
    fingerprint,
  }: { slot: SlotId; token: string; nextOffset: number; fingerprint: string | null },
  outboxDone: Commit['outboxDone'],
): Commit {
  return {
    slot,
    token,
    expected: nextOffset,
    next: nextOffset,
    fingerprint,
    channels: [],
    channelsRemoved: [],
    messages: [],
    interestAdded: [],
    interestRemoved: [],
    producers: [],
    gone: [],
    outbox: [],
    outboxDone,
    outboxNarrowed: [],
    deadLetters: [],
  }
}
