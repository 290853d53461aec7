import type { StoreEnv } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import type { Timer } from '../../platform/clock.ts'
import type { Mutex } from '../../platform/mutex.ts'
import type { App } from '../../protocol/app/contract.ts'
import { commandTopic } from '../../protocol/records/topics.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Commit } from '../../store/store.ts'
import type { Lanes } from '../emit/lanes.ts'
import type { Reads } from '../emit/reads.ts'
import { commandsOf, readBatch } from './batch.ts'
import type { BatchItem } from './batch.ts'
import { commit, tidyingCommit } from './commit.ts'
import type { Counters } from './counters.ts'
import { FencedOut, Halted } from './errors.ts'
import { remember } from './memory.ts'
import type { ChannelCache, SlotMemory } from './memory.ts'
import { Outbox } from './outbox.ts'
import type { BatchPlan } from './plan.ts'
import { BatchPreparer } from './prepare.ts'
import { Reading } from './reading.ts'
import { SlotFaults } from './slot-faults.ts'
import type { TakenSlot } from './takeover.ts'
import { Trial } from './trial.ts'
import type { NextBatch } from './trial.ts'

/** What all slots of a worker share. */
export interface SlotDeps {
  env: StoreEnv
  app: App
  lanes: Lanes
  reads: Reads
  worker: string
  version: string
  batchMax: number
  /** What their commands come to. */
  counters: Counters
  /** Held while a careful slot tries one record, so that no other one can be blamed for what that record does. */
  careful: Mutex
  /** Where a slot was given up because a row existed that must be new: at the same place again, it halts. */
  steppedDown: Map<SlotId, number>
}

/** Interest rows of a retired instance removed in one transaction, between batches. */
export const pruneChunk = 500

/** An idle slot deletes acknowledged outbox rows after this time. */
export const idleFlushMs = 250

/** How ownership ended: let go in order, or lost to another owner. */
export type SlotEnd = 'released' | 'fenced'

/**
 * One owned slot: reads its log, shows commands to the app, commits, and puts what came of it into the lanes. A batch
 * is whatever arrived while the one before was under way.
 */
export class Slot {
  readonly id: SlotId
  readonly #deps: SlotDeps
  readonly #memory: SlotMemory
  readonly #cache: ChannelCache
  readonly #reading: Reading
  readonly #trial: Trial
  readonly #preparer: BatchPreparer
  readonly #outbox: Outbox
  readonly #faults: SlotFaults
  /** Retired instances whose interest is still to be removed. */
  readonly #retired: string[]
  #isStopping = false
  #isCrashed = false
  #wake: (() => void) | null = null
  #abandon: (() => void) | null = null
  #flush: Timer | null = null
  /** When this owner stopped handling records, by its clock. */
  stoppedAt = 0

  /** `killing` notes that a record is about to end the process, as `SlotFaultsOptions` has it. */
  constructor(deps: SlotDeps, taken: TakenSlot, killing: (offset: number) => Promise<boolean>) {
    const { memory, cache, state, reader, records, suspicion } = taken
    this.#deps = deps
    this.id = memory.lease.slot
    this.#memory = memory
    this.#cache = cache
    this.#reading = new Reading(deps.env.clock, reader, records, () => this.#wake?.())
    this.#trial = new Trial(deps.batchMax, suspicion)
    const stopped = () => this.#isCrashed
    this.#faults = new SlotFaults(deps.env, memory, { version: deps.version, killing, stopped })
    this.#preparer = new BatchPreparer(deps, { memory, cache, faults: this.#faults, stopped })
    this.#outbox = new Outbox(this.id, memory.token, deps.lanes, () => this.#acknowledged())
    this.#retired = state.tombstones.filter(({ pruned }) => !pruned).map(({ instance }) => instance)
    // What was committed and perhaps not delivered goes first, before anything of our own.
    this.#outbox.emit(state.outbox)
  }

  /** What fences every other owner out. */
  get token(): string {
    return this.#memory.token
  }

  /** Of the lease; what is below is as it is now, for heartbeats and metrics. */
  get epoch(): number {
    return this.#memory.lease.epoch
  }

  get incarnation(): number {
    return this.#memory.lease.incarnation
  }

  /** All before it is handled and committed. */
  get nextOffset(): number {
    return this.#memory.nextOffset
  }

  /** Rows in the store's outbox. */
  get outboxRows(): number {
    return this.#outbox.size
  }

  /** Records that were read and are not committed. */
  get inFlight(): number {
    return this.#reading.waiting.length
  }

  get cachedChannels(): number {
    return this.#cache.size
  }

  get waitingMs(): number {
    return this.#reading.waitingMs
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
      this.#reading.close()
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
    if (this.#reading.waiting.length === 0) await this.#waitForWork()
    this.#reading.check()
    if (this.#isStopping) return
    if (this.#reading.waiting.length > 0) await this.#handle(this.#trial.next(this.#reading.waiting))
    else if (this.#retired.length > 0) await this.#prune()
    else if (this.#outbox.hasDone) await this.#tidyOutbox()
  }

  async #waitForWork(): Promise<void> {
    this.#reading.go()
    if (this.#retired.length > 0) return
    if (this.#outbox.hasDone) this.#acknowledged()
    await this.#untilWoken()
  }

  async #untilWoken(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = null
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

  async #handle({ records, isCareful }: NextBatch): Promise<void> {
    if (!isCareful) return this.#commitBatch(records)
    const { env, careful } = this.#deps
    await careful.run(async () => {
      const { offset } = records[0]!
      if (!(await this.#untilAnswered(() => env.store.markTrying(this.id, this.#memory.token, offset))))
        throw new FencedOut()
      await this.#commitBatch(records)
    })
  }

  async #commitBatch(records: NextBatch['records']): Promise<void> {
    const { env, version, reads, counters } = this.#deps
    const startedAt = env.clock.monotonic()
    const items = readBatch(this.#memory, records)
    const plan = await this.#unlessCrashed(async () => {
      const spared = { aside: this.#trial.setAside, refused: await this.#faults.afterPoll(items) }
      return this.#preparer.prepare(items, spared, () => this.#outbox.changes())
    })
    this.#cancelFlush()
    if ((await this.#commit(plan.commit, items)) === 'refused') {
      env.metrics.commitsRefused.inc()
      if (this.#trial.refused(records)) return
      throw new Halted(`the store refuses the record at ${records[0]!.offset}`)
    }
    const rooms = commandsOf(items).flatMap(({ request, command }) => (request === null ? [command.channel] : []))
    if (rooms.length > 0) counters.committed(rooms, env.clock.monotonic() - startedAt)
    this.#reading.done(records.length)
    this.#remember(plan)
    this.#outbox.settle(plan.commit)
    this.#outbox.emit(plan.commit.outbox)
    for (const read of plan.reads) reads.add(this.id, read)
    env.metrics.batchRecords.observe({ version }, records.length)
  }

  #remember(plan: BatchPlan): void {
    const { nextOffset } = remember(this.#memory, this.#cache, plan)
    this.#retired.push(...plan.gone)
    const { group, partition } = parseSlot(this.id)
    this.#deps.env.log.noteProgress?.(commandTopic(group), partition, nextOffset)
  }

  async #commit(change: Commit, items: BatchItem[]): Promise<'committed' | 'refused'> {
    const { env, version } = this.#deps
    const outcome = await commit(env, change, { version, items, faults: this.#faults, stopped: () => this.#isCrashed })
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

  async #prune(): Promise<void> {
    const { env } = this.#deps
    const [instance] = this.#retired as [string]
    const result = await this.#untilAnswered(() =>
      env.store.pruneInterest(this.id, this.#memory.token, instance, pruneChunk),
    )
    if (result === 'fenced') throw new FencedOut()
    if (result === 'done') this.#retired.shift()
  }

  async #tidyOutbox(): Promise<void> {
    const { token, nextOffset, fingerprint } = this.#memory
    const change = tidyingCommit({ slot: this.id, token, nextOffset, fingerprint }, this.#outbox.done)
    if ((await this.#commit(change, [])) === 'refused') throw new Halted('the store refuses to tidy the outbox')
    this.#outbox.settle(change)
  }

  async #letGo(): Promise<SlotEnd> {
    if (this.#isCrashed) return 'fenced'
    while (this.#outbox.size > 0) {
      if (this.#outbox.hasDone) await this.#tidyOutbox()
      else await this.#untilWoken()
      if (this.#isCrashed) return 'fenced'
    }
    const { env } = this.#deps
    const released = await this.#untilAnswered(() => env.store.release(this.id, this.#memory.token))
    return released ? 'released' : 'fenced'
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
    const stopped = () => this.#isCrashed
    const answer = await untilAnswered(this.#deps.env, () => this.#faults.asked(request), stopped)
    if (answer === null) throw new FencedOut()
    return answer
  }
}
