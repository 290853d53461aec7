import type { SlotId, SlotPlace } from '../protocol/slot.ts'

/**
 * The `store` seam: leases, the worker's commit, channels and messages, interest, the outbox, controller state.
 * Adapters: `mysql`, `embedded`, `memory`; all pass test/store/contract/contract.ts. Every method is one request and
 * one transaction: nothing stays open between two, so a frozen process never holds a lock.
 *
 * Every adapter keeps names, ids and keys binary: no collation folds two of them into one.
 */

/** Who owns a slot and how far it has been handled. The token fences every other process out. */
export interface Lease {
  /** One lease a slot, made with its group. */
  slot: SlotId
  /** Random for each acquisition, null before the first. Survives a release, so that a release can be told apart. */
  token: string | null
  /** Null after a clean release. */
  owner: string | null
  /** Version of the owner (of the last one after a release). */
  version: string | null
  /** Rises by one with each acquisition. */
  epoch: number
  /** Log offset of the first record whose effects are not in the store. */
  nextOffset: number
  /** Raised by a person's `slots reset`; orders positions across a log that started anew. */
  incarnation: number
  /** Hash of the record at nextOffset - 1; null before the first. */
  fingerprint: string | null
  /** Offset that a careful owner was about to show the app. */
  trying: number | null
  /** Unclean take-overs since the slot last made progress. */
  attempts: number
  /** The furthest record for which an owner was to be killed by a fault: none up to it is killed for again. */
  killed: number | null
  /**
   * Fixed when the slot was made, and other than that of any other store: what derives from it and a name is the same
   * for good, and means nothing elsewhere. Empty for slots that a version without it made.
   */
  origin: string
}

/** A channel as its slot keeps it; `interest` are the instances that have it open. */
export interface ChannelState {
  /** Unique in its slot. */
  name: string
  /** Identity of its stream; a channel that is made anew has another. */
  epoch: string
  /** Offset of the newest publication, 0 before the first. */
  top: number
  /** Milliseconds since 1970; no later message is older, unless a clock was wrong: see `timeAfter` (protocol/app). */
  lastTime: number
  /** Ids, in no order. */
  interest: string[]
}

/** Channels of a slot, as they were when it was at `place`. */
export interface ActiveChannels {
  /** Of the lease, read in the same snapshot. */
  place: SlotPlace
  /** The one with the newest message first. */
  channels: ChannelState[]
}

/** What a publication is; one kind so far. */
export type MessageKind = 'message'

/** One publication, stored for good. */
export interface Message {
  /** Name of its channel. */
  channel: string
  /** Place in its channel, from 1, without gaps. */
  offset: number
  /** Made from its command, so that a replay gives the same. */
  id: string
  /** Said of every message, so that others can be added. */
  kind: MessageKind
  /** Who sent it; '' for a user without a name. */
  user: string
  /** The payload's JSON as it came. */
  data: Buffer
  /** JSON of the sender's ClientInfo, or null. */
  info: string | null
  /** JSON object of strings, or null. */
  tags: string | null
  /** Milliseconds since 1970. */
  time: number
  /** 16-byte hash of (user or device, key), unique per channel; null without a key. */
  idem: Buffer | null
}

/** A stored message that a key led to, with what tells whether the payload was the same. */
export interface IdemHit {
  /** As it was asked for. */
  channel: string
  /** As it was asked for. */
  idem: Buffer
  /** The one that has this key in this channel. */
  message: Message
}

/**
 * A record for inboxes that is not known to be in the log yet. It is kept with the batch that made it, and sent until
 * it is acknowledged.
 */
export interface OutboxRow {
  /** nextOffset of the batch that wrote it. */
  batchEnd: number
  /** Index among the rows of its batch: rows are sent in the order of (batchEnd, part). */
  part: number
  /** Instances that the record still has to reach. */
  inboxes: string[]
  /** The record, whole, for all of them. */
  body: Buffer
}

/** A command that was set aside, for a person to look at. */
export interface DeadLetter {
  /** Of its record in the slot's log. */
  offset: number
  /** One line. */
  reason: string
  /** The whole record, as it was in the log. */
  record: Buffer
}

/** Everything one batch of a slot changes. Applied in one transaction or not at all. */
export interface Commit {
  /** The slot whose batch it is. */
  slot: SlotId
  /** The owner's; another one in the lease fences the commit. */
  token: string
  /** The lease's nextOffset as this owner last knew it; another value there fences the commit. */
  expected: number
  /** What nextOffset becomes; the same as `expected` where a commit only tidies. */
  next: number
  /** Of the record at next - 1. */
  fingerprint: string | null
  /** Made or advanced. */
  channels: { name: string; epoch: string; top: number; lastTime: number }[]
  /**
   * Channels that nobody has any more and that never had a message: their rows go, and what interest is left of instances
   * that are retired. None of them is among `channels`.
   */
  channelsRemoved: string[]
  /** New ones, in order. */
  messages: Message[]
  /** (channel, instance) pairs, in this order: added ones after removed ones never name the same pair. */
  interestAdded: [channel: string, instance: string][]
  /** As above; a pair that is not there is passed over. */
  interestRemoved: [channel: string, instance: string][]
  /** A producer is `instance.generation`; one without a dot belongs to no instance. */
  producers: [producer: string, lastN: number][]
  /** Retired instances: their producer rows go, a tombstone stays. */
  gone: string[]
  /** What the batch tells inboxes. */
  outbox: OutboxRow[]
  /** Rows all of whose appends are acknowledged. */
  outboxDone: { batchEnd: number; part: number }[]
  /** Rows that lose inboxes because their backlog overflowed; `inboxes` are those that stay. */
  outboxNarrowed: { batchEnd: number; part: number; inboxes: string[] }[]
  /** Commands of the batch that were set aside. */
  deadLetters: DeadLetter[]
}

/** `fenced`: another owner has the slot, or nextOffset is not as expected. Nothing was changed. */
export type CommitResult = 'committed' | 'fenced'

/** A worker's wish to own a slot. */
export interface Acquire {
  /** The slot that is wanted. */
  slot: SlotId
  /** The lease as it was seen; the acquisition fails when token or epoch are others by now. */
  seen: { token: string | null; epoch: number }
  /** Random; from now on it fences every other one out. */
  token: string
  /** Id of the worker. */
  owner: string
  /** Version of the worker. */
  version: string
  /**
   * The furthest that an owner of the slot has said it was, null when nothing is known. A lease that is behind it, by
   * incarnation first, shows a store that went back in time (a failover that lost commits, a restored backup): what
   * was lost comes again from the log, in an incarnation above the announced one.
   */
  announced: SlotPlace | null
}

/** What a new owner must know that is not keyed by one channel. */
export interface SlotState {
  /** As it is after the acquisition. */
  lease: Lease
  /** True when the owner before did not release the slot. */
  unclean: boolean
  /** True when the lease was behind what was announced; its incarnation has been raised then. */
  wentBack: boolean
  /** Log offset that the previous owner was trying, as it stood before this acquisition. */
  tried: number | null
  /** Of each producer the number of its last command: what is not above it was handled. */
  producers: [producer: string, lastN: number][]
  /** Retired instances, and whether their interest has been removed. */
  tombstones: { instance: string; pruned: boolean }[]
  /** In the order in which they were committed. */
  outbox: OutboxRow[]
}

/** Which messages of a channel a read wants: all conditions together. */
export interface MessageQuery {
  /** Name of the channel. */
  channel: string
  /** Exclusive bounds on the offset. */
  after: number
  /** Null for no bound. */
  before: number | null
  /** Only messages at or after this time (ms). */
  since: number
  /** Messages at most. */
  limit: number
  /** Newest first. */
  reverse: boolean
  /** Stops before this many bytes, by `messageBytes` (message-size.ts), but always returns one message. */
  bytesMax: number
}

/** Of a proxy instance: it lives; it was declared dead and its traces are being removed; nothing of it is left. */
export type InstanceState = 'live' | 'retired' | 'gone'

/** What controllers keep as a whole: a resource, how far a rollout is, a fault. */
export interface Document {
  /** What it is; names are unique in it. */
  kind: string
  /** Compared as bytes. */
  name: string
  /**
   * Rises by one with each write, a deletion included. The first that ever was of this kind and name has 1, or where
   * deleted ones of its kind were forgotten one more than any of those had.
   */
  revision: number
  /** JSON text, of `documentBytesMax` bytes at most. */
  body: string
  /** Milliseconds since 1970 when it was written, by the store's clock. */
  time: number
}

/** A document as it was; the body is null where that revision deleted it. */
export type DocumentRevision = Omit<Document, 'body'> & { body: string | null }

/** A document that is to be as given. */
export interface DocumentWrite {
  /** As in Document. */
  kind: string
  /** As in Document. */
  name: string
  /** Revision that it was seen at, 0 where there was none. */
  seen: number
  /** Null deletes it. */
  body: string | null
}

/** Who did what to the cluster. */
export interface AuditEntry {
  /** Who asked: a role, and the name that they gave. */
  who: string
  /** What was done, in a word or two. */
  what: string
  /** To what. */
  target: string
  /** JSON text of what was there; null where there was nothing. */
  before: string | null
  /** JSON text of what is there since; null where nothing is. */
  after: string | null
}

/** An entry as it is kept. */
export interface AuditRecord extends AuditEntry {
  /** Rises with each entry. */
  id: number
  /** Milliseconds since 1970, by the store's clock. */
  time: number
}

/** Documents that are written together, and what is to be said of it. */
export interface DocumentChange {
  /** No two of them name the same document. */
  writes: DocumentWrite[]
  /** Of the leader that writes; null for what needs no leader. */
  term: number | null
  /** Kept with the change; null where nobody asked for it. */
  audit: AuditEntry | null
}

/** `conflict`: a document is not as it was seen. `fenced`: another term has begun. Nothing was changed in both cases. */
export type DocumentsResult = 'written' | 'conflict' | 'fenced'

/** Who leads among the controllers, as the store says. */
export interface Leadership {
  /** Rises with each leader; hints of a lower term are void. */
  term: number
  /** Id of the controller. */
  leader: string
  /** What is left of it, by the store's clock. */
  leftMs: number
}

/**
 * One process's access to the store. Every method rejects with a StoreError: `unavailable` when there was no answer,
 * and after a write it is not known then whether it took effect; `unknown_slot` where a slot has no lease.
 */
export interface Store {
  /**
   * Makes the tables, or brings them up to date; does nothing where they are. Rejects with `damaged` for what only a
   * person can mend.
   */
  migrate(): Promise<void>

  /**
   * Pins the number of slots of a group and makes its leases, of that origin; returns the pinned number, which may be
   * another. A group that exists stays as it is.
   */
  createGroup(group: string, slots: number, origin: string): Promise<number>
  /** Notes the group of each namespace that has none yet; whichever has one keeps it, for good. */
  pinNamespaces(groups: { namespace: string; group: string }[]): Promise<void>
  /** The group of each namespace that was noted, by name. */
  namespaces(): Promise<{ namespace: string; group: string }[]>
  /** The leases of all slots of all groups, as they are now. */
  leases(): Promise<Lease[]>
  /** Read so that no commit under way can still change it afterwards: used to learn the outcome of a commit. */
  lease(slot: SlotId): Promise<Lease>
  /**
   * Compare-and-set; null when the lease has moved on. An unclean acquisition of a slot (the owner before did not
   * release it) adds one to `attempts`, but once `carefulFrom` attempts are reached only when `trying` equals
   * nextOffset. An owner that noted its own end (`markKilled`) is not counted either. Sets `trying` to null in the lease,
   * and reports what it was in `tried`.
   */
  acquire(acquire: Acquire): Promise<SlotState | null>
  /** Owner becomes null, the token stays; false when fenced. */
  release(slot: SlotId, token: string): Promise<boolean>
  /** Notes the record that a careful owner is about to handle; false when fenced. */
  markTrying(slot: SlotId, token: string, offset: number): Promise<boolean>
  /**
   * Notes that this owner is about to be killed by a fault, for a record at that offset, -1 at least: nobody is to blame
   * for its end. `killed` never falls. False when fenced.
   */
  markKilled(slot: SlotId, token: string, offset: number): Promise<boolean>
  /**
   * A person's decision: incarnation + 1, a new place in the log, no token, no owner, no attempts, no kill. Outbox rows that are
   * left keep their order and get a `batchEnd` below zero, so that no later batch can end where one of them does.
   */
  resetSlot(slot: SlotId, nextOffset: number): Promise<Lease>

  /**
   * Fences first, then applies. Progress (next > expected) clears `trying` and `attempts`.
   * Rejects with `duplicate` when a (channel, offset) or (channel, idem) exists, and with `unavailable` when the
   * outcome is unknown.
   */
  commit(commit: Commit): Promise<CommitResult>
  /**
   * Removes up to `limit` interest rows of a retired instance, and the channels without a message that nobody else has;
   * `done` when none is left (the tombstone says so then).
   */
  pruneInterest(slot: SlotId, token: string, instance: string, limit: number): Promise<'more' | 'done' | 'fenced'>

  /** Channels that exist among `names`, with their interest. */
  channels(slot: SlotId, names: string[]): Promise<ChannelState[]>
  /** What a new owner warms up with: the most recently active channels that anybody has open. */
  activeChannels(slot: SlotId, limit: number): Promise<ActiveChannels>
  /** Messages that keys lead to; a key that leads to none has no hit. */
  idempotent(slot: SlotId, keys: { channel: string; idem: Buffer }[]): Promise<IdemHit[]>
  /** Messages that a query asks for, in its order; none of a channel that does not exist. */
  messages(slot: SlotId, query: MessageQuery): Promise<Message[]>

  /** Version that owns slots, null before the first. */
  servingVersion(): Promise<string | null>
  /** Compare-and-set; false when it was another than `seen`. */
  setServingVersion(seen: string | null, version: string): Promise<boolean>

  /** Documents of a kind, by name. */
  documents(kind: string): Promise<Document[]>
  /**
   * Compare-and-set for all of them together. Rejects with `refused` for one that is too large (document-size.ts). Keeps
   * the newest `documentRevisionsKept` revisions of each, the `deletedDocumentsKept` of each kind that were deleted last,
   * and the newest `auditKept` entries.
   */
  putDocuments(change: DocumentChange): Promise<DocumentsResult>
  /** Revisions of a document, newest first, its deletions among them. */
  documentHistory(kind: string, name: string, limit: number): Promise<DocumentRevision[]>
  /** Entries below an id (null: any), newest first. */
  audit(before: number | null, limit: number): Promise<AuditRecord[]>

  /** Registers instances that are not known yet as live. */
  registerInstances(ids: string[]): Promise<void>
  /** Compare-and-set from one state to the next; false when it was not in `from`. */
  moveInstance(id: string, from: InstanceState, to: InstanceState): Promise<boolean>
  /** Instances that are not gone, and those that only interest or producer rows still name (as live). */
  instances(): Promise<{ id: string; state: InstanceState }[]>

  /**
   * Takes or renews the leadership for `ttlMs` by the store's own clock. Returns who leads now: the caller when it
   * held the term, the term was free or had run out. One that would last for more than `ttlMs` from now on has run out
   * too: the store's clock has gone back since it was taken. A term that begins is above the one before and not below the
   * store's clock in milliseconds: a store that went back in time gives none out again. Since its clock may have gone
   * back too, a term is also above `heard`, the highest that the caller knows to have been used; one that it holds and
   * that is below that ends.
   */
  lead(candidate: string, ttlMs: number, heard?: number): Promise<Leadership>

  /** Ends what is under way with `unavailable`; resolves when nothing is left open. */
  close(): Promise<void>
}

/** Unclean take-overs after which a slot's records are shown to the app one at a time (delivery: poison). */
export const carefulFrom = 2
