/** Rows and commits for the contract of stores and for the tests of single ones. */
import type { Test } from 'tap'
import type { SlotId } from '../../../protocol/slot.ts'
import type { StoreErrorCode } from '../../../store/errors.ts'
import type { Acquire, Commit, DeadLetter, Message, SlotState, Store } from '../../../store/store.ts'

/** Opens one more handle on the same store, as another process would. Closes with the test. */
export type OpenStore = () => Store

/** A new and empty store, and how to look into it where the store itself does not. */
export interface MadeStore {
  open: OpenStore
  /** All that was set aside in a slot, oldest first. */
  deadLetters: (slot: SlotId) => DeadLetter[] | Promise<DeadLetter[]>
}

export const slot = 'default/0'
export const token = 'token'

/** A commit that changes nothing but what is given. */
export function commitOf(changes: Partial<Commit>): Commit {
  return {
    slot,
    token,
    expected: 0,
    next: 1,
    fingerprint: 'fingerprint',
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
    ...changes,
  }
}

export function messageOf(channel: string, offset: number, more: Partial<Message> = {}): Message {
  return {
    channel,
    offset,
    id: `${channel} ${offset}`,
    kind: 'message',
    user: 'ann',
    data: Buffer.from(`"${offset}"`),
    info: null,
    tags: null,
    time: 1_000 + offset,
    idem: null,
    ...more,
  }
}

export const channelOf = (name: string, top = 0, lastTime = 1_000): Commit['channels'][number] => ({
  name,
  epoch: 'e',
  top,
  lastTime,
})

/** Takes a slot as it is now. */
export async function own(store: Store, more: Partial<Acquire> = {}): Promise<SlotState> {
  const { token: seenToken, epoch } = await store.lease(more.slot ?? slot)
  const state = await store.acquire({
    slot,
    seen: { token: seenToken, epoch },
    token,
    owner: 'worker',
    announced: null,
    version: 'v1',
    ...more,
  })
  if (state === null) throw new Error('the slot was not acquired')
  return state
}

export const refused = (code: StoreErrorCode): { name: string; code: StoreErrorCode } => ({ name: 'StoreError', code })

/** Adds one property of every store; each runs on a new store with the group `default` of two slots. */
export type Check = (
  what: string,
  run: (t: Test, store: Store, open: OpenStore, made: MadeStore) => Promise<void>,
) => void
