import { encodeControl } from '../protocol/event-record.ts'
import type { Commit, OutboxRow, SlotId } from '../store/store.ts'
import type { Lanes } from './lanes.ts'

type RowKey = { batchEnd: number; part: number }

const keyOf = ({ batchEnd, part }: RowKey) => `${batchEnd}.${part}`

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
  /** Taken out of full lanes, and not in a commit that went through yet. */
  #overflow: ReturnType<Lanes['takeOverflow']> = []
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

  get hasDone(): boolean {
    return this.#done.length > 0
  }

  get isAcknowledged(): boolean {
    return this.#open.size === 0
  }

  /** Committed rows go out, in order. */
  emit(rows: OutboxRow[]): void {
    for (const row of rows) {
      const key = { batchEnd: row.batchEnd, part: row.part }
      this.#open.set(keyOf(row), key)
      this.#lanes.emit(this.#slot, this.#owner, row, () => {
        if (!this.#open.delete(keyOf(row))) return
        this.#done.push(key)
        this.#changed()
      })
    }
  }

  /**
   * Adds to a commit what the outbox needs: rows that are done go; inboxes whose backlog is full lose their older
   * rows and get a resync instead, before the commit's own rows. Call `settle` with the commit once it is through.
   */
  prepare(commit: Commit): void {
    commit.outboxDone = this.#done.slice()
    // A resync row of a commit that stays where it is would meet the rows of the batch before.
    if (commit.next === commit.expected) return
    this.#overflow.push(...this.#lanes.takeOverflow(this.#owner))
    const overflow = this.#overflow
    if (overflow.length === 0) return
    const affected = new Set(overflow.flatMap(({ inboxes }) => inboxes))
    const narrowed = new Map<string, Commit['outboxNarrowed'][number]>()
    for (const { row, inboxes } of overflow) {
      const before = narrowed.get(keyOf(row))?.inboxes ?? row.inboxes
      narrowed.set(keyOf(row), { ...row, inboxes: before.filter((inbox) => !inboxes.includes(inbox)) })
    }
    commit.outboxNarrowed = [...narrowed.values()].map(({ batchEnd, part, inboxes }) => ({ batchEnd, part, inboxes }))
    const to = [...affected]
    const body = encodeControl({ type: 'resync', slot: this.#slot, to })
    commit.outbox = [{ batchEnd: commit.next, part: 0, inboxes: to, body }, ...commit.outbox].map((row, part) => ({
      ...row,
      part,
    }))
  }

  settle(commit: Commit): void {
    const gone = new Set(commit.outboxDone.map(keyOf))
    this.#done = this.#done.filter((key) => !gone.has(keyOf(key)))
    if (commit.next !== commit.expected) this.#overflow = []
  }
}
