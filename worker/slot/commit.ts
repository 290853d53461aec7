import type { StoreEnv } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import { StoreError } from '../../store/store.ts'
import type { Commit, CommitResult, Lease } from '../../store/store.ts'
import type { SlotId } from '../../protocol/slot.ts'

/**
 * Commits a batch whatever happens to the connection: when the outcome is unknown, the lease tells it before
 * anything is emitted or tried again. Rejects with `duplicate` when a cache is wrong.
 */
export async function commitBatch(env: StoreEnv, commit: Commit, stopped: () => boolean): Promise<CommitResult> {
  while (!stopped()) {
    try {
      return await env.store.commit(commit)
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error
      env.metrics.commitsUnknown.inc()
    }
    const lease = await untilAnswered(env, () => env.store.lease(commit.slot), stopped)
    if (lease === null) break
    const outcome = outcomeOf(commit, lease)
    if (outcome !== 'again') return outcome
  }
  return 'fenced'
}

/** What became of a commit, told by the lease. A commit that moves nothing may be repeated. */
export function outcomeOf(commit: Commit, lease: Lease): CommitResult | 'again' {
  if (lease.token !== commit.token) return 'fenced'
  if (lease.nextOffset === commit.expected) return 'again'
  return lease.nextOffset === commit.next ? 'committed' : 'fenced'
}

/** A commit that changes nothing but the outbox. */
export function emptyCommit(slot: SlotId, token: string, nextOffset: number, fingerprint: string | null): Commit {
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
    outboxDone: [],
    outboxNarrowed: [],
    deadLetters: [],
  }
}
