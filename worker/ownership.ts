import type { StoreEnv } from '../cluster/env.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import { LogError } from '../log/errors.ts'
import type { ControlRecord } from '../protocol/records/control.ts'
import type { OwnedSlot } from '../protocol/records/heartbeat.ts'
import type { StatusRecord } from '../protocol/records/status.ts'
import { commandTopic } from '../protocol/records/topics.ts'
import { parseSlot } from '../protocol/slot.ts'
import type { SlotId } from '../protocol/slot.ts'
import { Moves } from './moves.ts'
import { SlotNews } from './slot-news.ts'
import { Halted } from './slot/errors.ts'
import type { SlotMemory } from './slot/memory.ts'
import { Slot } from './slot/slot.ts'
import type { SlotDeps } from './slot/slot.ts'
import { take, warm } from './slot/takeover.ts'

type Move = Extract<ControlRecord, { type: 'move' }>
type Acquired = Extract<StatusRecord, { type: 'acquired' }>

/** Whose slots they are, and who hears of it. */
export interface OwnershipOptions {
  worker: string
  version: string
  /** Channels that a slot keeps in memory. */
  cacheMax: number
  /** An owner that does not let go within this time is fenced. */
  quiesceMs: number
  /** False once it leaves: it takes nothing over any more. */
  isTaking: () => boolean
  announce: (record: StatusRecord) => void
  /** Resolves once it is in the log. */
  announced: (record: StatusRecord) => Promise<void>
  /** What it owns has changed. */
  changed: () => void
  /** The worker cannot go on. */
  broken: (error: unknown) => void
}

/** How often a successor looks how much its slot has left to handle. */
export const nearLookMs = 50

/** Characters of why a slot halted that everybody is told. */
const reasonLengthMax = 1_000

/** Which slots a worker owns: taken over and let go as the controller hints, lost when somebody else has them. */
export class Ownership {
  readonly #env: StoreEnv
  readonly #options: OwnershipOptions
  readonly #deps: SlotDeps
  readonly #slots = new Map<SlotId, Slot>()
  readonly #warming = new Set<SlotId>()
  readonly #halted = new Set<SlotId>()
  readonly #moves: Moves
  readonly #news: SlotNews
  #isLooking = false
  #isStopped = false

  constructor(env: StoreEnv, deps: SlotDeps, options: OwnershipOptions) {
    this.#env = env
    this.#deps = deps
    this.#options = options
    this.#moves = new Moves(env.clock)
    this.#news = new SlotNews(env)
  }

  /** It has no slot, and is to get none. */
  get isEmpty(): boolean {
    return this.#slots.size === 0 && this.#warming.size === 0
  }

  /** What it owns, and how far each is. */
  get owned(): OwnedSlot[] {
    return [...this.#slots.values()].map((slot) => ({
      slot: slot.id,
      epoch: slot.epoch,
      incarnation: slot.incarnation,
      nextOffset: slot.nextOffset,
      waitingMs: Math.round(slot.waitingMs),
    }))
  }

  /** Slots that it is taking over, or that stand halted. */
  get claimed(): SlotId[] {
    return [...this.#warming, ...this.#halted]
  }

  /** Records that are read and not committed. */
  get inFlight(): number {
    return sum(this.#slots.values(), (slot) => slot.inFlight)
  }

  /** Rows that are not known to be in the log. */
  get outboxRows(): number {
    return sum(this.#slots.values(), (slot) => slot.outboxRows)
  }

  /** To be called again and again: metrics, and news in the process's log. */
  look(): void {
    const { metrics } = this.#env
    this.#news.look(this.#slots.size)
    metrics.slotsOwned.set({ version: this.#options.version }, this.#slots.size)
    metrics.slotsHalted.set(this.#halted.size)
    metrics.cachedChannels.set(sum(this.#slots.values(), (slot) => slot.cachedChannels))
  }

  /**
   * Gives up what the store gives to others, or to nobody. A commit would find out, but an idle slot makes none: after
   * the store went back in time it would be owned in vain for ever, and a worker that drains would not end.
   */
  async lookAtLeases(): Promise<void> {
    // Those that were owned before the question: the answer may be older than an acquisition.
    const owned = [...this.#slots.values()]
    if (owned.length === 0 || this.#isLooking) return
    this.#isLooking = true
    const leases = await untilAnswered(
      this.#env,
      () => this.#env.store.leases(),
      () => this.#isStopped,
    )
    this.#isLooking = false
    if (leases === null) return
    const tokens = new Map(leases.map(({ slot, token }) => [slot, token]))
    for (const slot of owned) {
      if (tokens.get(slot.id) === slot.token) continue
      this.#env.metrics.fenced.inc({ stage: 'idle' })
      slot.crash()
    }
  }

  /** Lets everything go that nobody took over. */
  letAllGo(): void {
    for (const slot of this.#slots.values()) slot.stop()
  }

  /** Ends all at once, as a crash would: nothing is let go. */
  kill(): void {
    this.#isStopped = true
    this.#news.tell(this.#slots.size)
    for (const slot of this.#slots.values()) slot.crash()
  }

  /** A slot is to have another owner. */
  moved(move: Move): void {
    this.#moves.hint(move)
    if (move.to !== this.#options.worker) this.#halted.delete(move.slot)
    else void this.#takeOver(move).catch((error: unknown) => this.#options.broken(error))
    this.#maybeLetGo(move.slot)
  }

  /** What other workers say of hand-offs. */
  heard(record: StatusRecord): void {
    if (record.type === 'warmed') {
      this.#moves.warmed(record)
      this.#maybeLetGo(record.slot)
    } else if (record.type === 'released') this.#moves.released(record)
    else if (record.type === 'acquired') {
      // Somebody else has it by now. Commits would find out, but an idle slot makes none, and a hanging app neither.
      const slot = this.#slots.get(record.slot)
      if (slot && slot.epoch < record.epoch) slot.crash()
    }
  }

  /** The owner lets go when its successor is ready, or when there is none. */
  #maybeLetGo(id: SlotId): void {
    const slot = this.#slots.get(id)
    if (slot && this.#moves.mayLetGo(id, this.#options.worker, slot.epoch)) slot.stop()
  }

  async #takeOver(move: Move): Promise<void> {
    const { slot: id, epoch } = move
    if (this.#warming.has(id) || !this.#options.isTaking()) return
    this.#warming.add(id)
    try {
      if (await this.#isNews(move)) await this.#warmAndTake(move)
    } catch (error) {
      this.#halt(id, error)
    } finally {
      this.#warming.delete(id)
    }
    // A hint that came meanwhile, for a later epoch.
    const hint = this.#moves.latest(id)
    if (hint?.to === this.#options.worker && hint.epoch > epoch && !this.#slots.has(id)) await this.#takeOver(hint)
  }

  /** A hint from before we took the slot is none, unless the store has gone back to before that too. */
  async #isNews({ slot, epoch }: Move): Promise<boolean> {
    const owned = this.#slots.get(slot)
    if (!owned || owned.epoch <= epoch) return true
    const { store } = this.#env
    const lease = await untilAnswered(
      this.#env,
      () => store.lease(slot),
      () => this.#isStopped,
    )
    return lease?.epoch === epoch
  }

  async #warmAndTake(move: Move): Promise<void> {
    const { slot: id, epoch, from } = move
    const stopped = () => this.#isStopped
    const { worker, version, cacheMax, quiesceMs } = this.#options
    const warmed = await warm(this.#env, id, cacheMax, stopped)
    if (warmed === null) return
    let isTaken = false
    const startedAt = this.#env.clock.monotonic()
    try {
      let stoppedAt: number | null = null
      if (from !== null && from !== this.#options.worker) {
        await this.#untilNear(move)
        // Its owner may have died meanwhile: nobody is left who lets go.
        if (this.#moves.isAwaited(move)) {
          this.#options.announce({ type: 'warmed', slot: id, epoch, worker: this.#options.worker })
          stoppedAt = await this.#moves.untilReleased(id, epoch, move.drainMs ?? quiesceMs)
        }
      }
      if (!this.#moves.isCurrent(move)) return
      const as = { owner: worker, version, epoch, announced: move.announced }
      const taken = await take(this.#env, warmed, as, stopped)
      if (taken === null || this.#isStopped) return
      const pauseMs = stoppedAt === null ? null : this.#pauseSince(stoppedAt, startedAt)
      const acquired = acquiredRecord(taken.memory, this.#options.worker, from, pauseMs)
      // An incarnation that the store could lose again must be known before anything of it is.
      if (taken.state.wentBack) await this.#options.announced(acquired)
      else this.#options.announce(acquired)
      if (this.#isStopped) return
      isTaken = true
      this.#own(new Slot(this.#deps, taken, (offset) => this.#killing(id, taken.memory.token, offset)), acquired)
    } finally {
      if (!isTaken) warmed.reader.close()
    }
  }

  /**
   * Resolves when the slot has little left to handle, or has had its time: its rooms stand still for less long then. Without
   * an owner they stand still already.
   */
  async #untilNear(move: Move): Promise<void> {
    const { slot, warmup } = move
    if (warmup === undefined) return
    const { clock, log, store } = this.#env
    const { group, partition } = parseSlot(slot)
    const end = clock.monotonic() + warmup.timeoutMs
    while (!this.#isStopped && this.#moves.isAwaited(move) && clock.monotonic() < end) {
      const ask = () => Promise.all([store.lease(slot), log.range(commandTopic(group), partition)])
      const answers = await untilAnswered(this.#env, ask, () => this.#isStopped)
      if (answers === null) return
      const [{ nextOffset }, { next }] = answers
      if (next - nextOffset <= warmup.lagMax) return
      await clock.sleep(nearLookMs)
    }
  }

  /** A slot whose log and store do not fit stands still, loudly, until a person decides; other errors go on. */
  #halt(id: SlotId, error: unknown): void {
    const isHalt = error instanceof Halted || (error instanceof LogError && error.code === 'out_of_range')
    if (!isHalt) throw error
    this.#slots.delete(id)
    this.#halted.add(id)
    this.#env.logger.fatal({ slot: id, reason: error.message }, 'slot halted: see holdfast slots reset')
    const reason = error.message.slice(0, reasonLengthMax)
    this.#options.announce({ type: 'halted', slot: id, worker: this.#options.worker, reason })
  }

  /** The owner stopped by its own clock, which is none to rely on: not later than now, nor before it was asked to. */
  #pauseSince(stoppedAt: number, askedAt: number): number {
    const { clock } = this.#env
    return Math.min(Math.max(0, clock.now() - stoppedAt), clock.monotonic() - askedAt)
  }

  /**
   * A fault ends this process for a record of a slot: noted there, and in all other slots that nobody is to blame either.
   * False when the slot was lost meanwhile.
   */
  async #killing(id: SlotId, token: string, offset: number): Promise<boolean> {
    const { store } = this.#env
    const note = (slot: SlotId, token: string, at: number) =>
      untilAnswered(
        this.#env,
        () => store.markKilled(slot, token, at),
        () => this.#isStopped,
      )
    const others = [...this.#slots.values()].filter((slot) => slot.id !== id)
    const [isNoted] = await Promise.all([
      note(id, token, offset),
      ...others.map((slot) => note(slot.id, slot.token, slot.nextOffset - 1)),
    ])
    return isNoted === true
  }

  #own(slot: Slot, { kind, pauseMs }: Acquired): void {
    const { id, epoch } = slot
    this.#halted.delete(id)
    this.#slots.get(id)?.crash()
    this.#slots.set(id, slot)
    this.#news.taken({ slot: id, epoch, kind, pauseMs })
    slot
      .run()
      .then((end) => {
        if (this.#slots.get(id) === slot) this.#slots.delete(id)
        this.#news.left(id, epoch, end)
        if (end === 'released') {
          this.#options.announce({
            type: 'released',
            slot: id,
            epoch,
            worker: this.#options.worker,
            stoppedAt: slot.stoppedAt,
          })
        }
        this.#options.changed()
      })
      .catch((error: unknown) => this.#halt(id, error))
      .catch((error: unknown) => this.#options.broken(error))
    // A hint that came while the slot was being taken.
    this.#maybeLetGo(id)
  }
}

/** `pauseMs` is null when there was nobody who let it go. */
function acquiredRecord(
  { lease, nextOffset }: SlotMemory,
  worker: string,
  from: string | null,
  pauseMs: number | null,
): Acquired {
  const { slot, epoch, incarnation } = lease
  return {
    type: 'acquired',
    slot,
    epoch,
    worker,
    from,
    kind: pauseMs === null ? 'takeover' : 'planned',
    pauseMs: pauseMs ?? 0,
    place: { incarnation, nextOffset },
  }
}

function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0
  for (const item of items) total += of(item)
  return total
}
