/**
 * Proves how an owner learns what became of a commit whose answer was lost: the lease tells it, and nothing is committed
 * twice. What the store can never take it is not asked to.
 */
import t from 'tap'
import { commitBytesMax } from '../../../protocol/records/sizes.ts'
import { StoreError } from '../../../store/errors.ts'
import type { Commit, CommitResult, Lease, Store } from '../../../store/store.ts'
import { tidyingCommit } from '../../../worker/slot/commit.ts'
import { testEnv } from '../../harness/env.ts'
import { commitCalmly } from '../../support/commit-calmly.ts'

const whose = { slot: 'default/0', token: 'mine', nextOffset: 5, fingerprint: null } as const
const tidying = tidyingCommit(whose, [{ batchEnd: 5, part: 0 }])
const change: Commit = { ...tidying, next: 7 }
const leaseOf = (given: Partial<Lease>): Lease => ({ token: 'mine', nextOffset: 5, ...given }) as Lease
const lost = () => Promise.reject(new StoreError('unavailable', 'the connection was lost'))

/** Commits on a store that gives these answers to one try after the other, and this lease. */
async function committed(answers: (() => Promise<CommitResult>)[], lease: Partial<Lease> = {}, what = change) {
  let tries = 0
  const store = {
    commit: () => answers[tries++]!(),
    lease: () => Promise.resolve(leaseOf(lease)),
  } as unknown as Store
  const outcome = await commitCalmly(testEnv({ store }), what)
  return [outcome, tries]
}

void t.test('an answer that comes is taken as it is', async (t) => {
  t.strictSame(await committed([() => Promise.resolve('committed')]), ['committed', 1])
  t.strictSame(await committed([() => Promise.resolve('fenced')]), ['fenced', 1])
})

void t.test('where the answer is lost, the lease tells what became of it', async (t) => {
  const taken = () => Promise.resolve('committed' as const)
  t.strictSame(await committed([lost], { nextOffset: 7 }), ['committed', 1], 'it took effect')
  t.strictSame(await committed([lost, lost, taken]), ['committed', 3], 'it did not, and is tried again')
  t.strictSame(await committed([lost], { nextOffset: 6 }), ['fenced', 1], 'a person moved the slot')
  for (const nextOffset of [5, 7])
    t.strictSame(await committed([lost], { token: 'another', nextOffset }), ['fenced', 1], 'it has another owner')
  t.strictSame(await committed([lost, taken], {}, tidying), ['committed', 2], 'one that moves nothing may be repeated')
})

void t.test('what the store refuses is told, and not tried again', async (t) => {
  for (const code of ['refused', 'duplicate'] as const)
    t.strictSame(await committed([() => Promise.reject(new StoreError(code, 'no'))]), [code, 1])
  await t.rejects(committed([() => Promise.reject(new StoreError('damaged', 'a page is torn'))]), {
    code: 'damaged',
  })
})

void t.test('what is too large is refused before the store is asked', async (t) => {
  const row = { batchEnd: 7, part: 0, inboxes: ['p'], body: Buffer.alloc(commitBytesMax) }
  t.strictSame(await committed([], {}, { ...change, outbox: [row] }), ['refused', 0])
})
