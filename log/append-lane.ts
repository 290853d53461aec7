import type { Clock, Timer } from '../platform/clock.ts'
import { laneBatchBytesMax } from '../protocol/records/sizes.ts'
import { LogError } from './errors.ts'
import type { Log, LogEntry } from './log.ts'
import { recordBytes } from './rules.ts'

/** Back-off between two tries of one append. */
export const appendRetryMs = { first: 20, max: 500 }

/** What one append carries at most; an entry that is larger goes alone. */
export const appendBatchMax = { entries: 500, bytes: laneBatchBytesMax }

/**
 * What may wait goes when nothing else does, so many bytes at a time that what comes meanwhile is not kept long; and
 * after so many appends that went first, so that it goes at all.
 */
export const appendLaterMax = { bytes: 70_000, passedBy: 3 }

/**
 * An entry on its way, and who is told of it. Exactly one of `appended` and `refused` is called, unless the lane is
 * stopped first.
 */
export interface LaneItem {
  entry: LogEntry
  /** Called once the log has acknowledged the entry. */
  appended?: (offset: number) => void
  /** Called when the entry is about to be sent for the first time: from then on it may be in the log. */
  sending?: () => void
  /**
   * Called when the log can never take the entry, in place of `appended`: the lane goes on without it, or with the item
   * that this returns, at its place.
   */
  refused?: () => this | null
}

/** Where a lane leads, and who is told what it does. */
export interface LaneOptions<Item extends LaneItem = LaneItem> {
  log: Log
  clock: Clock
  topic: string
  partition: number
  /** Called before each try with what is to be appended: what it waits for, or why the try fails; null for neither. */
  trying?: (items: Item[]) => Promise<void> | null
  /** Called for each try: how long it took, in ms, and its error if it failed. */
  tried?: (durationMs: number, error: unknown) => void
  /** Called for each entry that the log can never take, before its owner hears so. */
  dropped?: (bytes: number, error: LogError) => void
}

/**
 * A FIFO into one partition with one append outstanding, retries included: the next goes only after the last was
 * acknowledged, so whatever a retry repeats is never overtaken. What is pushed meanwhile forms the next append. A second
 * queue holds what is of less weight and bound to no order.
 */
export class AppendLane<Item extends LaneItem = LaneItem> {
  readonly #options: LaneOptions<Item>
  #queue: Item[] = []
  #later: Item[] = []
  #sending: Item[] = []
  #queuedBytes = 0
  #laterBytes = 0
  /** Appends since something waits in `#later`. */
  #passedBy = 0
  /** From the push that starts it to the end of the queue. */
  #isDraining = false
  #stopped = false
  #retry: Timer | null = null
  #wakeRetry: (() => void) | null = null
  #idleWaiters: (() => void)[] = []

  constructor(options: LaneOptions<Item>) {
    this.#options = options
  }

  /** Bytes that wait behind the append under way. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Bytes that wait until nothing else does. */
  get laterBytes(): number {
    return this.#laterBytes
  }

  get isIdle(): boolean {
    return !this.#hasMore && this.#sending.length === 0
  }

  get #hasMore(): boolean {
    return this.#queue.length > 0 || this.#later.length > 0
  }

  /** Goes in its turn; nothing happens once the lane is stopped. */
  push(item: Item): void {
    if (this.#stopped) return
    this.#queue.push(item)
    this.#queuedBytes += recordBytes(item.entry)
    this.#schedule()
  }

  /** Whatever is pushed the other way goes first, as long as this is not passed by for too long. */
  pushLater(item: Item): void {
    if (this.#stopped) return
    this.#later.push(item)
    this.#laterBytes += recordBytes(item.entry)
    this.#schedule()
  }

  #schedule(): void {
    // At the end of this turn, so that what is pushed together goes together.
    if (!this.#isDraining) {
      this.#isDraining = true
      queueMicrotask(() => void this.#drain())
    }
  }

  /** Takes back what has not been sent yet and fits; returns it in order. */
  remove(fits: (item: Item) => boolean): Item[] {
    const removed: Item[] = []
    const kept: Item[] = []
    for (const item of this.#queue) (fits(item) ? removed : kept).push(item)
    if (removed.length > 0) {
      this.#queue = kept
      this.#queuedBytes -= bytesOf(removed)
      this.#notifyIdle()
    }
    return removed
  }

  /** Resolves when nothing waits or is under way; also when the lane is stopped. */
  idle(): Promise<void> {
    if (this.isIdle || this.#stopped) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Drops what waits; an append under way may still reach the log. */
  stop(): void {
    this.#stopped = true
    this.#queue = []
    this.#later = []
    this.#queuedBytes = this.#laterBytes = 0
    this.#retry?.cancel()
    this.#wakeRetry?.()
    this.#notifyIdle()
  }

  async #drain(): Promise<void> {
    const { log, topic, partition } = this.#options
    while (this.#hasMore) {
      if (log.turn) await log.turn(topic, partition)
      // All may have been taken back, or the lane stopped.
      if (!this.#hasMore) break
      this.#sending = this.#take()
      for (const item of this.#sending) item.sending?.()
      if (!(await this.#deliver())) break
    }
    this.#sending = []
    this.#isDraining = false
    this.#notifyIdle()
  }

  /**
   * Appends what is being sent: together, or, where the log says that this is too large, in halves until the entry to
   * blame stands alone and is dropped. False when the lane was stopped meanwhile.
   */
  async #deliver(): Promise<boolean> {
    let most = this.#sending.length
    while (this.#sending.length > 0) {
      const items = this.#sending.slice(0, most)
      const first = await this.#appendUntilAcknowledged(items)
      if (first === null) return false
      if (first instanceof LogError && items.length > 1) {
        most = Math.ceil(items.length / 2)
        continue
      }
      const rest = this.#sending.slice(items.length)
      this.#sending = first instanceof LogError ? [...this.#drop(items[0]!, first), ...rest] : rest
      if (!(first instanceof LogError)) items.forEach((item, index) => item.appended?.(first + index))
      most = this.#sending.length
    }
    return true
  }

  /** Returns what goes in its place. */
  #drop(item: Item, error: LogError): Item[] {
    this.#options.dropped?.(recordBytes(item.entry), error)
    const instead = item.refused?.() ?? null
    return instead === null ? [] : [instead]
  }

  #take(): Item[] {
    const isLaterDue = this.#queue.length === 0 || this.#passedBy === appendLaterMax.passedBy
    if (this.#later.length > 0 && isLaterDue) {
      this.#passedBy = 0
      const taken = takeFrom(this.#later, appendLaterMax.bytes)
      this.#laterBytes -= bytesOf(taken)
      return taken
    }
    this.#passedBy = this.#later.length > 0 ? this.#passedBy + 1 : 0
    const taken = takeFrom(this.#queue, appendBatchMax.bytes)
    this.#queuedBytes -= bytesOf(taken)
    return taken
  }

  /** The offset of the first; an error when they are too large; null when the lane was stopped meanwhile. */
  async #appendUntilAcknowledged(items: Item[]): Promise<number | LogError | null> {
    const { log, clock, topic, partition, trying, tried } = this.#options
    const entries = items.map((item) => item.entry)
    let pauseMs = appendRetryMs.first
    while (!this.#stopped) {
      const start = clock.monotonic()
      try {
        const awaited = trying?.(items) ?? null
        if (awaited !== null) await awaited
        const offset = await log.append(topic, partition, entries)
        tried?.(clock.monotonic() - start, null)
        return offset
      } catch (error) {
        tried?.(clock.monotonic() - start, error)
        if (!(error instanceof LogError)) throw error
        if (error.code === 'closed') return null
        if (error.code === 'too_large') return error
      }
      await this.#pause(pauseMs)
      pauseMs = Math.min(pauseMs * 2, appendRetryMs.max)
    }
    return null
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeRetry = resolve
      this.#retry = this.#options.clock.after(ms, resolve)
    })
  }

  #notifyIdle(): void {
    if (!this.isIdle && !this.#stopped) return
    const waiters = this.#idleWaiters
    this.#idleWaiters = []
    for (const resolve of waiters) resolve()
  }
}

/** The first of a queue that fit into one append, one at least. */
function takeFrom<Item extends LaneItem>(queue: Item[], bytesMax: number): Item[] {
  let bytes = 0
  let count = 0
  for (const { entry } of queue) {
    bytes += recordBytes(entry)
    if (count > 0 && (bytes > bytesMax || count === appendBatchMax.entries)) break
    count++
  }
  return queue.splice(0, count)
}

function bytesOf(items: LaneItem[]): number {
  return items.reduce((sum, { entry }) => sum + recordBytes(entry), 0)
}
