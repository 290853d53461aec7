import { LogError } from '../../log/log.ts'
import type { LogReader, LogRecord } from '../../log/log.ts'
import { recordBytes } from '../../log/rules.ts'
import type { Timer } from '../../platform/clock.ts'
import type { StoreEnv } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import { batchBytesMax, commitBytesMax } from '../../protocol/records/sizes.ts'
import { commandTopic } from '../../protocol/records/topics.ts'
import { parseSlot } from '../../protocol/slot.ts'
import { commitBytes } from '../../store/commit-size.ts'
import { StoreError } from '../../store/store.ts'
import type { CommitResult, Commit } from '../../store/store.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { App } from '../app/app.ts'
import { readBatch } from './batch.ts'
import type { BatchPlan } from './batch.ts'
import { commitBatch, emptyCommit } from './commit.ts'
import type { Lanes } from '../emit/lanes.ts'
import type { Mutex } from '../../platform/mutex.ts'
import { Outbox } from './outbox.ts'
import { BatchPreparer } from './preparer.ts'
import type { SetAside } from './preparer.ts'
import type { Reads } from '../emit/reads.ts'
import type { ChannelCache, SlotMemory } from './state.ts'
import { Halted } from './takeover.ts'
import type { TakenSlot } from './takeover.ts'

export interface SlotDeps {
  env: StoreEnv
  app: App
  lanes: Lanes
  reads: Reads
  worker: string
  version: string
  batchMax: number
  /** Held while a careful slot tries one record, so that no other one can be blamed for what that record does. */
  careful: Mutex
  /** Where a slot was given up because a row existed that must be new: at the same place again, it halts. */
  steppedDown: Map<SlotId, number>
}

/** Interest rows of a retired instance removed in one transaction. */
export const pruneChunk = 500
/** An idle slot deletes acknowledged outbox rows after this time. */
export const idleFlushMs = 250

/** How ownership ended: let go in order, or lost to another owner. */
export type SlotEnd = 'released' | 'fenced'

class FencedOut extends Error {
  override name = 'FencedOut'
}

/**
 * One owned slot: reads its log, shows commands to the app, commits, and puts what came of it into the lanes. A batch
 * is whatever arrived while the one before was under way.
 */
export class Slot {
  readonly id: SlotId
  readonly #deps: SlotDeps
  readonly #memory: SlotMemory
  readonly #cache: ChannelCache
  readonly #reader: LogReader
  readonly #outbox: Outbox
  readonly #preparer: BatchPreparer
  #records: LogRecord[]
  #isReading = false
  #carefulUntil: number | null
  #setAside: SetAside | null
  /** Records that one batch may hold while the one that the store refuses is looked for, up to this offset. */
  #bisect: { batchMax: number; until: number } | null = null
  #prune: string[]
  #isStopping = false
  #isCrashed = false
  #wake: (() => void) | null = null
  #abandon: (() => void) | null = null
  #flush: Timer | null = null
  #readError: unknown = null
  /** Monotonic ms since which records wait without a commit; null when none do. */
  #waitingSince: number | null = null
  /** When this owner stopped handling records, by its clock. */
  stoppedAt = 0

  constructor(deps: SlotDeps, taken: TakenSlot) {
    this.#deps = deps
    this.id = taken.memory.lease.slot
    this.#memory = taken.memory
    this.#cache = taken.cache
    this.#reader = taken.reader
    this.#records = taken.records
    this.#carefulUntil = taken.carefulUntil
    this.#setAside =
      taken.setAside === null ? null : { offset: taken.setAside, reason: 'ended the process each time it was handled' }
    if (taken.records.length > 0) this.#waitingSince = deps.env.clock.monotonic()
    this.#prune = taken.state.tombstones.filter(({ pruned }) => !pruned).map(({ instance }) => instance)
    this.#preparer = new BatchPreparer(deps, this.#memory, this.#cache, () => this.#isCrashed)
    this.#outbox = new Outbox(this.id, this.#memory.token, deps.lanes, () => this.#acknowledged())
    // What was committed and perhaps not delivered goes first, before anything of our own.
    this.#outbox.emit(taken.state.outbox)
  }

  get epoch(): number {
    return this.#memory.lease.epoch
  }

  get incarnation(): number {
    return this.#memory.lease.incarnation
  }

  get nextOffset(): number {
    return this.#memory.nextOffset
  }

  get outboxRows(): number {
    return this.#outbox.size
  }

  get inFlight(): number {
    return this.#records.length
  }

  get cachedChannels(): number {
    return this.#cache.size
  }

  get waitingMs(): number {
    return this.#waitingSince === null ? 0 : this.#deps.env.clock.monotonic() - this.#waitingSince
  }

  /** Handles records until stop(), then empties the outbox and lets go. Rejects when the log or store is damaged. */
  async run(): Promise<SlotEnd> {
    try {
      while (!this.#isStopping) await this.#step()
      this.stoppedAt = this.#deps.env.clock.now()
      return await this.#letGo()
    } catch (error) {
      if (error instanceof FencedOut) return 'fenced'
      throw error
    } finally {
      this.#reader.close()
      this.#cancelFlush()
      this.#deps.lanes.drop(this.#memory.token)
    }
  }

  /** Finishes the batch under way and lets go. */
  stop(): void {
    this.#isStopping = true
    this.#wake?.()
  }

  /** Stops without letting go, as a crash would. */
  crash(): void {
    this.#isCrashed = true
    this.#abandon?.()
    this.stop()
  }

  async #step(): Promise<void> {
    if (this.#records.length === 0) await this.#waitForWork()
    if (this.#readError) throw this.#readError
    if (this.#isStopping) return
    if (this.#records.length > 0) await this.#handleNext()
    else if (this.#prune.length > 0) await this.#pruneNext()
    else if (this.#outbox.hasDone) await this.#flushOutbox()
  }

  async #waitForWork(): Promise<void> {
    if (!this.#isReading) void this.#read()
    if (this.#prune.length > 0) return
    if (this.#outbox.hasDone) this.#acknowledged()
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = null
  }

  async #read(): Promise<void> {
    this.#isReading = true
    try {
      const records = await this.#reader.next()
      this.#records.push(...records)
      this.#waitingSince ??= this.#deps.env.clock.monotonic()
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'closed') this.#readError = error
    }
    this.#isReading = false
    this.#wake?.()
  }

  /** Acknowledged rows are deleted with the next commit; when none comes soon, in a transaction of their own. */
  #acknowledged(): void {
    if (this.#isStopping) return this.#wake?.()
    if (!this.#outbox.isAcknowledged) return
    this.#flush ??= this.#deps.env.clock.after(idleFlushMs, () => {
      this.#flush = null
      this.#wake?.()
    })
  }

  /** The commit that comes takes the acknowledged rows along. */
  #cancelFlush(): void {
    this.#flush?.cancel()
    this.#flush = null
  }

  async #handleNext(): Promise<void> {
    const first = this.#records[0]!
    if (this.#carefulUntil === null) return this.#handle(this.#nextBatch())
    if (first.offset >= this.#carefulUntil) {
      this.#carefulUntil = null
      return
    }
    const { env, careful } = this.#deps
    await careful.run(async () => {
      const { token } = this.#memory
      const mark = () => env.store.markTrying(this.id, token, first.offset)
      if (!(await untilAnswered(env, mark, () => this.#isCrashed))) throw new FencedOut()
      await this.#handle([first])
    })
  }

  #nextBatch(): LogRecord[] {
    if (this.#bisect && this.#records[0]!.offset >= this.#bisect.until) this.#bisect = null
    const most = this.#bisect?.batchMax ?? this.#deps.batchMax
    let bytes = 0
    const end = this.#records.findIndex((record, index) => {
      bytes += recordBytes(record)
      return index === most || (index > 0 && bytes > batchBytesMax)
    })
    return this.#records.slice(0, end === -1 ? most : end)
  }

  async #handle(records: LogRecord[]): Promise<void> {
    const { env, version, reads } = this.#deps
    const items = readBatch(this.#memory, records)
    const plan = await this.#unlessCrashed(() => this.#preparer.prepare(items, this.#setAside))
    this.#cancelFlush()
    this.#outbox.prepare(plan.commit)
    if ((await this.#commitIfFits(plan.commit)) === 'refused') return this.#narrow(records)
    this.#records = this.#records.slice(records.length)
    this.#waitingSince = this.#records.length > 0 ? env.clock.monotonic() : null
    this.#remember(plan)
    this.#outbox.settle(plan.commit)
    this.#outbox.emit(plan.commit.outbox)
    for (const read of plan.reads) reads.add(this.id, read)
    env.metrics.batchRecords.observe({ version }, records.length)
  }

  /**
   * An app that hangs must not hold an owner that lost its slot. What can be reached from `#abandon` is kept through V8's
   * minor collections even after it, so this must not be the batch: full collections would be made of them.
   */
  async #unlessCrashed<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isCrashed) throw new FencedOut()
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#abandon = () => reject(new FencedOut())
    work().then(resolve, reject)
    try {
      return await promise
    } finally {
      this.#abandon = null
    }
  }

  async #untilAnswered<T>(request: () => Promise<T>): Promise<T> {
    const answer = await untilAnswered(this.#deps.env, request, () => this.#isCrashed)
    if (answer === null) throw new FencedOut()
    return answer
  }

  /**
   * The store takes no batch with a certain record in it, or none that is as large. Half of the batch is tried next, until the record stands alone:
   * then it is set aside. One that the store does not even take as a dead letter halts the slot.
   */
  #narrow(records: LogRecord[]): void {
    const [first, last] = [records[0]!.offset, records.at(-1)!.offset]
    this.#deps.env.metrics.commitsRefused.inc()
    if (records.length > 1) this.#bisect = { batchMax: Math.ceil(records.length / 2), until: last + 1 }
    else if (this.#setAside?.offset === first) throw new Halted(`the store refuses the record at ${first}`)
    else this.#setAside = { offset: first, reason: 'the store refuses what it makes' }
  }

  /** What a store may not take in one request it is not asked to. */
  async #commitIfFits(commit: Commit): Promise<'committed' | 'refused'> {
    const bytes = commitBytes(commit)
    if (bytes <= commitBytesMax) return this.#commit(commit)
    this.#deps.env.logger.error({ slot: this.id, bytes, nextOffset: commit.expected }, 'a commit is too large')
    return 'refused'
  }

  async #commit(commit: Commit): Promise<'committed' | 'refused'> {
    const { env, version } = this.#deps
    const start = env.clock.monotonic()
    let outcome: CommitResult | 'duplicate' | 'refused'
    try {
      outcome = await commitBatch(env, commit, () => this.#isCrashed)
    } catch (error) {
      if (!(error instanceof StoreError) || (error.code !== 'duplicate' && error.code !== 'refused')) throw error
      outcome = error.code
      env.logger.error({ err: error, slot: this.id, nextOffset: commit.expected }, 'the store refuses a commit')
    }
    env.metrics.commitDuration.observe({ version, outcome }, (env.clock.monotonic() - start) / 1000)
    if (outcome === 'committed' || outcome === 'refused') return outcome
    env.metrics.fenced.inc({ stage: 'commit' })
    if (outcome === 'duplicate') await this.#stepDown()
    throw new FencedOut()
  }

  /** What this owner believes of a channel is wrong: the next one starts from the rows. Rejects with Halted. */
  async #stepDown(): Promise<void> {
    const { env, steppedDown } = this.#deps
    const { nextOffset, token } = this.#memory
    if (steppedDown.get(this.id) === nextOffset)
      throw new Halted(`what the record at ${nextOffset} makes exists already`)
    steppedDown.set(this.id, nextOffset)
    env.logger.error({ slot: this.id, nextOffset }, 'a row exists that must be new, giving the slot up')
    await this.#untilAnswered(() => env.store.release(this.id, token))
  }

  #remember({ commit, channels, absent, gone }: BatchPlan): void {
    const memory = this.#memory
    memory.nextOffset = commit.next
    this.#noteProgress(commit.next)
    memory.fingerprint = commit.fingerprint
    for (const [producer, n] of commit.producers) memory.producers.set(producer, n)
    for (const channel of channels.values()) this.#cache.set(channel)
    for (const name of absent) this.#cache.delete(name)
    for (const instance of gone) {
      memory.tombstones.add(instance)
      for (const producer of memory.producers.keys())
        if (producer.startsWith(`${instance}.`)) memory.producers.delete(producer)
      this.#cache.forgetInstance(instance)
      this.#prune.push(instance)
    }
  }

  #noteProgress(nextOffset: number): void {
    const { group, partition } = parseSlot(this.id)
    this.#deps.env.log.noteProgress?.(commandTopic(group), partition, nextOffset)
  }

  /** Interest of a retired instance goes chunk by chunk, between batches. */
  async #pruneNext(): Promise<void> {
    const { env } = this.#deps
    const instance = this.#prune[0]!
    const result = await this.#untilAnswered(() =>
      env.store.pruneInterest(this.id, this.#memory.token, instance, pruneChunk),
    )
    if (result === 'fenced') throw new FencedOut()
    if (result === 'done') this.#prune.shift()
  }

  async #flushOutbox(): Promise<void> {
    const { token, nextOffset, fingerprint } = this.#memory
    const commit = emptyCommit(this.id, token, nextOffset, fingerprint)
    this.#outbox.prepare(commit)
    if ((await this.#commit(commit)) === 'refused') throw new Halted('the store refuses to tidy the outbox')
    this.#outbox.settle(commit)
    this.#outbox.emit(commit.outbox)
  }

  async #letGo(): Promise<SlotEnd> {
    if (this.#isCrashed) return 'fenced'
    while (this.#outbox.size > 0) {
      if (this.#outbox.hasDone) await this.#flushOutbox()
      else await new Promise<void>((resolve) => (this.#wake = resolve))
      if (this.#isCrashed) return 'fenced'
    }
    const { env } = this.#deps
    const released = await this.#untilAnswered(() => env.store.release(this.id, this.#memory.token))
    return released ? 'released' : 'fenced'
  }
}
