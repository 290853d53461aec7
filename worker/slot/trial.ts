import type { LogRecord } from '../../log/log.ts'
import { recordBytes } from '../../log/rules.ts'
import { batchBytesMax } from '../../protocol/records/sizes.ts'

/** A record that is not shown to the app, and why. */
export interface SetAside {
  offset: number
  reason: string
}

/** Where a slot's owner is on its guard from the start: what the lease tells of those before it. */
export interface Suspicion {
  /** One record at a time up to this offset, because owners died here; null without suspicion. */
  carefulUntil: number | null
  /** This record ended the process each time it was handled, and has been tried often enough. */
  setAside: number | null
}

/** The records of the next batch. */
export interface NextBatch {
  records: LogRecord[]
  /** The one record is suspected: what it does must show in nobody else's name (delivery: poison). */
  isCareful: boolean
}

/**
 * Which records make the next batch: as many as go together while nothing is wrong; one at a time where owners died; half
 * as many as the store has just refused, until the record that it refuses stands alone and is set aside. Pure: told what
 * happened, says what is tried next.
 */
export class Trial {
  readonly #batchMax: number
  #carefulUntil: number | null
  #setAside: SetAside | null
  /** Records that one batch may hold while the one that the store refuses is looked for, up to this offset. */
  #narrowed: { batchMax: number; until: number } | null = null

  constructor(batchMax: number, { carefulUntil, setAside }: Suspicion) {
    this.#batchMax = batchMax
    this.#carefulUntil = carefulUntil
    this.#setAside =
      setAside === null ? null : { offset: setAside, reason: 'ended the process each time it was handled' }
  }

  /** The command that is not to be shown to the app, once its batch comes; null when there is none. */
  get setAside(): SetAside | null {
    return this.#setAside
  }

  /** Of records that wait, of which there is at least one. */
  next(waiting: LogRecord[]): NextBatch {
    const [first] = waiting as [LogRecord]
    if (this.#carefulUntil !== null && first.offset < this.#carefulUntil) return { records: [first], isCareful: true }
    this.#carefulUntil = null
    if (this.#narrowed !== null && first.offset >= this.#narrowed.until) this.#narrowed = null
    return { records: cut(waiting, this.#narrowed?.batchMax ?? this.#batchMax), isCareful: false }
  }

  /** The store takes no batch with a certain record in it, or none that is as large. False when nothing is left to try. */
  refused(records: LogRecord[]): boolean {
    const [first, last] = [records[0]!.offset, records.at(-1)!.offset]
    if (records.length > 1) this.#narrowed = { batchMax: Math.ceil(records.length / 2), until: last + 1 }
    else if (this.#setAside?.offset === first) return false
    else this.#setAside = { offset: first, reason: 'the store refuses what it makes' }
    return true
  }
}

/** The first records, so many and so large that they go in one batch; one that is larger goes alone. */
function cut(waiting: LogRecord[], most: number): LogRecord[] {
  let bytes = 0
  const end = waiting.findIndex((record, index) => {
    bytes += recordBytes(record)
    return index === most || (index > 0 && bytes > batchBytesMax)
  })
  return waiting.slice(0, end === -1 ? most : end)
}
