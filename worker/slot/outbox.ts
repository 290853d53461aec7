import type { SlotId } from '../../protocol/slot.ts'
import type { Commit, OutboxRow } from '../../store/store.ts'
import type { Lanes } from '../emit/lanes.ts'

/** What the outbox changes with a batch's commit, beside the batch's own rows. */
export interface OutboxChanges {
  /** Rows that all lanes have: they go. */
  done: Commit['outboxDone']
  /** Rows that lose inboxes. */
  narrowed: Commit['outboxNarrowed']
  /** Inboxes that have missed rows, and are told so before the batch's own. */
  resync: string[]
}

type RowKey = { batchEnd: number; part: number; bytes: number }

/**
 * Rows, or bytes of them, that are done before a batch's commit removes them: to remove some costs a database about the same
 * however many they are, and a fifth of the whole commit. An owner that comes after a kill sends those that are left once
 * more, to proxies that have them.
 */
export const outboxDoneMin = { rows: 16, bytes: 65_536 }

/** Rows that one commit removes at most, and rows that it narrows. */
export const outboxChangesMax = 1_000

/** Inboxes that stay in the rows that one commit narrows; one row may have more. */
const narrowedInboxesMax = 10_000

const keyOf = ({ batchEnd, part }: Pick<RowKey, 'batchEnd' | 'part'>) => `${batchEnd}.${part}`

/**
 * The rows of one slot that are in the store's outbox: which are in the lanes, and which of them all lanes have
 * acknowledged, so that the next commit can delete them.
 */
export class Outbox {
  readonly #slot: SlotId
  readonly #owner: string
  readonly #lanes: Lanes
  readonly #open = new Map<string, RowKey>()
  #done: RowKey[] = []
  /** Inboxes whose rows were taken out of full lanes, and no resync for them is in a commit that went through yet. */
  #untold = new Set<string>()
  /** Rows that lose inboxes with the commits that come: what stays of each, by its key. */
  readonly #narrowed = new Map<string, Commit['outboxNarrowed'][number]>()
  readonly #changed: () => void

  /** `owner` is the token of this ownership; `changed` is called whenever a row was acknowledged. */
  constructor(slot: SlotId, owner: string, lanes: Lanes, changed: () => void) {
    this.#slot = slot
    this.#owner = owner
    this.#lanes = lanes
    this.#changed = changed
  }

  /** Rows in the store. */
  get size(): number {
    return this.#open.size + this.#done.length
  }

  /** Some commit can remove rows. */
  get hasDone(): boolean {
    return this.#done.length > 0
  }

  /** All that was emitted is in the log. */
  get isAcknowledged(): boolean {
    return this.#open.size === 0
  }

  /** Committed rows go out, in order. */
  emit(rows: OutboxRow[]): void {
    for (const row of rows) {
      const key = { batchEnd: row.batchEnd, part: row.part, bytes: row.body.length }
      this.#open.set(keyOf(row), key)
      this.#lanes.emit(this.#slot, this.#owner, row, () => {
        if (!this.#open.delete(keyOf(row))) return
        this.#done.push(key)
        this.#changed()
      })
    }
  }

  /**
   * What the outbox needs of the next batch's commit: rows that are done go, once they are enough; inboxes whose backlog
   * is full lose their older rows and are told of it instead. What is more than `outboxChangesMax` is for the next one: a
   * row that is not narrowed yet only goes once more when another owner comes. Call `settle` with the commit once it is
   * through.
   */
  changes(): OutboxChanges {
    for (const { row, inboxes } of this.#lanes.takeOverflow(this.#owner)) {
      const { batchEnd, part } = row
      const before = this.#narrowed.get(keyOf(row))?.inboxes ?? row.inboxes
      const left = before.filter((inbox) => !inboxes.includes(inbox))
      this.#narrowed.set(keyOf(row), { batchEnd, part, inboxes: left })
      for (const inbox of inboxes) this.#untold.add(inbox)
    }
    return { done: this.#isEnoughDone ? this.done : [], narrowed: this.#narrowedNext(), resync: [...this.#untold] }
  }

  /** Rows that a commit can remove now. */
  get done(): Commit['outboxDone'] {
    return this.#done.slice(0, outboxChangesMax).map(({ batchEnd, part }) => ({ batchEnd, part }))
  }

  #narrowedNext(): Commit['outboxNarrowed'] {
    const rows: Commit['outboxNarrowed'] = []
    let inboxes = 0
    for (const row of this.#narrowed.values()) {
      inboxes += row.inboxes.length
      if (rows.length > 0 && (rows.length === outboxChangesMax || inboxes > narrowedInboxesMax)) break
      rows.push(row)
    }
    return rows
  }

  get #isEnoughDone(): boolean {
    const { rows, bytes } = outboxDoneMin
    return this.#done.length >= rows || this.#done.reduce((sum, row) => sum + row.bytes, 0) >= bytes
  }

  /** A commit with what `changes` said went through. */
  settle(commit: Commit): void {
    if (commit.outboxDone.length > 0) this.#forget(commit.outboxDone)
    if (commit.next === commit.expected) return
    this.#untold.clear()
    for (const row of commit.outboxNarrowed) this.#narrowed.delete(keyOf(row))
  }

  #forget(rows: Commit['outboxDone']): void {
    const gone = new Set(rows.map(keyOf))
    this.#done = this.#done.filter((key) => !gone.has(keyOf(key)))
    for (const key of gone) this.#narrowed.delete(key)
  }
}
