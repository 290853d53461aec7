import { slotCount } from '../config/config.ts'
import type { Config } from '../config/config.ts'
import { LogError } from '../log/errors.ts'
import type { LogRange, LogReader } from '../log/log.ts'
import { Announcer } from '../cluster/announcer.ts'
import type { Timer } from '../platform/clock.ts'
import type { StoreEnv } from '../cluster/env.ts'
import { follow, readable } from '../cluster/follow.ts'
import { decodeStatus } from '../protocol/records/status.ts'
import { decodeControl } from '../protocol/records/control.ts'
import type { StatusRecord } from '../protocol/records/status.ts'
import type { ControlRecord } from '../protocol/records/control.ts'
import type { Address, WorkerState } from '../protocol/records/heartbeat.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import { commandTopic, controlTopic, defaultGroup, inboxTopic, statusTopic } from '../protocol/records/topics.ts'
import { clusterTopics } from '../cluster/topics.ts'
import type { SlotId } from '../protocol/slot.ts'
import type { App } from '../protocol/app/contract.ts'
import { Lanes } from './emit/lanes.ts'
import { Moves } from './moves.ts'
import { Mutex } from '../platform/mutex.ts'
import { Reads } from './emit/reads.ts'
import { Slot } from './slot/slot.ts'
import type { SlotDeps } from './slot/slot.ts'
import { SlotNews } from './slot-news.ts'
import { Halted } from './slot/errors.ts'
import { take, warm } from './slot/takeover.ts'

type Move = Extract<ControlRecord, { type: 'move' }>

/** Who the worker is, what it runs, and who is told that it ends. */
export interface WorkerOptions {
  config: Config
  app: App
  version: string
  pid: number
  internal: Address
  /** The worker owns nothing any more and was asked to leave, or it can not go on. */
  ended: (why: 'drained' | 'broken') => void
}

/** Characters of why a slot halted that everybody is told. */
const reasonLengthMax = 1_000

/** How often a draining worker looks whether it is done. */
const drainLookMs = 20

/** A worker process without its listeners: takes slots over and lets them go as the controller hints. */
export class Worker {
  readonly id: string
  state: WorkerState = 'live'
  readonly #env: StoreEnv
  readonly #options: WorkerOptions
  readonly #slots = new Map<SlotId, Slot>()
  readonly #warming = new Set<SlotId>()
  readonly #halted = new Set<SlotId>()
  readonly #moves: Moves
  readonly #news: SlotNews
  readonly #lanes: Lanes
  readonly #deps: SlotDeps
  readonly #announcer: Announcer
  readonly #timers: Timer[] = []
  #readers: LogReader[] = []
  #term = 0
  #isStopped = false

  constructor(env: StoreEnv, options: WorkerOptions) {
    const { config, app, version } = options
    this.#env = env
    this.#options = options
    this.id = `w-${env.random.hex(6)}`
    this.#lanes = new Lanes(env, config.topics.inbox_partitions, config.worker.lane_backlog_max)
    const as = { worker: this.id, version }
    this.#deps = {
      ...as,
      env,
      app,
      lanes: this.#lanes,
      reads: new Reads(env, app, this.#lanes, {
        ...as,
        concurrency: config.worker.reads_max,
        deadlineMs: config.client.reply_deadline,
      }),
      batchMax: config.worker.batch_max,
      careful: new Mutex(),
      steppedDown: new Map(),
    }
    this.#moves = new Moves(env.clock)
    this.#news = new SlotNews(env)
    this.#announcer = new Announcer(env, this.id, (beat) => ({
      type: 'heartbeat',
      role: 'worker',
      id: this.id,
      pid: options.pid,
      version,
      internal: options.internal,
      beat,
      state: this.state,
      slots: [...this.#slots.values()].map((slot) => ({
        slot: slot.id,
        epoch: slot.epoch,
        incarnation: slot.incarnation,
        nextOffset: slot.nextOffset,
        waitingMs: Math.round(slot.waitingMs),
      })),
      claimed: [...this.#warming, ...this.#halted],
      inFlight: sum(this.#slots.values(), (slot) => slot.inFlight),
      outbox: sum(this.#slots.values(), (slot) => slot.outboxRows),
    }))
  }

  /** Resolves when the worker is known to the cluster. Rejects when the log or store is laid out otherwise. */
  async start(): Promise<void> {
    const { config, version } = this.#options
    const { log, clock, metrics } = this.#env
    const begin = async () => {
      await log.createTopics(clusterTopics(slotCount(config), config.topics.inbox_partitions))
      // The last two so that the first slot does not wait for the log to find its leaders.
      const topics = [statusTopic, controlTopic, inboxTopic, commandTopic(defaultGroup)]
      return Promise.all(topics.map((topic) => log.range(topic, 0)))
    }
    const ranges = await untilAnswered(this.#env, begin, () => this.#isStopped)
    if (ranges === null) return
    const [status, control] = ranges as [LogRange, LogRange]
    this.#follow(statusTopic, status.next, decodeStatus, (record) => this.#onStatus(record))
    this.#follow(controlTopic, control.oldest, decodeControl, (record) => this.#onControl(record))
    this.#announcer.start(config.worker.heartbeat_interval)
    this.#timers.push(
      clock.every(config.worker.heartbeat_interval, () => {
        this.#news.look(this.#slots.size)
        metrics.slotsOwned.set({ version }, this.#slots.size)
        metrics.slotsHalted.set(this.#halted.size)
        metrics.cachedChannels.set(sum(this.#slots.values(), (slot) => slot.cachedChannels))
      }),
    )
  }

  /** True, or the state for which it should get no slots. */
  get ready(): true | string {
    return this.state === 'live' ? true : this.state
  }

  /** Asks for its slots to be taken over; when nobody does within `deadlineMs`, lets them go by itself. */
  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#env
    this.#startDraining()
    const end = clock.monotonic() + deadlineMs
    while (!this.#isEmpty && clock.monotonic() < end) await clock.sleep(drainLookMs)
    for (const slot of this.#slots.values()) slot.stop()
    while (!this.#isEmpty && clock.monotonic() < end + deadlineMs) await clock.sleep(drainLookMs)
    await this.#announcer.leave({ type: 'left', role: 'worker', id: this.id })
    this.kill()
  }

  /** Ends everything at once, as a crash would: nothing is let go. */
  kill(): void {
    this.#isStopped = true
    this.#news.tell(this.#slots.size)
    this.#announcer.stop()
    for (const timer of this.#timers) timer.cancel()
    for (const reader of this.#readers) reader.close()
    for (const slot of this.#slots.values()) slot.crash()
    this.#lanes.stop()
  }

  get #isEmpty(): boolean {
    return this.#slots.size === 0 && this.#warming.size === 0 && this.#lanes.isIdle
  }

  #follow<T>(topic: string, from: number, decode: (value: Buffer) => T, handle: (record: T) => void): void {
    const reader = this.#env.log.read(topic, 0, from)
    this.#readers.push(reader)
    follow(reader, (records) => {
      for (const record of readable(records, decode, this.#env.logger)) handle(record)
    }).catch((error: unknown) => this.#broken(error))
  }

  #broken(error: unknown): void {
    if (this.#isStopped) return
    this.#env.logger.fatal({ err: error }, 'worker cannot go on')
    this.kill()
    this.#options.ended('broken')
  }

  #onControl(record: ControlRecord): void {
    if (record.term < this.#term) return
    this.#term = record.term
    if (record.type === 'drain') {
      if (record.worker === this.id) this.#startDraining()
      return
    }
    this.#moves.hint(record)
    if (record.to !== this.id) this.#halted.delete(record.slot)
    else void this.#takeOver(record).catch((error: unknown) => this.#broken(error))
    this.#maybeLetGo(record.slot)
  }

  #onStatus(record: StatusRecord): void {
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
    if (slot && this.#moves.mayLetGo(id, this.id, slot.epoch)) slot.stop()
  }

  async #takeOver(move: Move): Promise<void> {
    const { slot: id, epoch } = move
    if (this.#warming.has(id) || this.state !== 'live') return
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
    if (hint?.to === this.id && hint.epoch > epoch && !this.#slots.has(id)) await this.#takeOver(hint)
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
    const { cache_channels_max: cacheMax, quiesce_timeout: quiesceMs } = this.#options.config.worker
    const warmed = await warm(this.#env, id, cacheMax, stopped)
    if (warmed === null) return
    let isTaken = false
    const startedAt = this.#env.clock.monotonic()
    try {
      let stoppedAt: number | null = null
      if (from !== null && from !== this.id) {
        this.#announcer.announce({ type: 'warmed', slot: id, epoch, worker: this.id })
        stoppedAt = await this.#moves.untilReleased(id, epoch, quiesceMs)
      }
      if (!this.#moves.isCurrent(move)) return
      const as = { owner: this.id, version: this.#options.version, epoch, announced: move.announced }
      const taken = await take(this.#env, warmed, as, stopped)
      if (taken === null || this.#isStopped) return
      isTaken = true
      this.#own(new Slot(this.#deps, taken), from, stoppedAt === null ? null : this.#pauseSince(stoppedAt, startedAt))
    } finally {
      if (!isTaken) warmed.reader.close()
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
    this.#announcer.announce({ type: 'halted', slot: id, worker: this.id, reason })
  }

  /** The owner stopped by its own clock, which is none to rely on: not later than now, nor before it was asked to. */
  #pauseSince(stoppedAt: number, askedAt: number): number {
    const { clock } = this.#env
    return Math.min(Math.max(0, clock.now() - stoppedAt), clock.monotonic() - askedAt)
  }

  /** `pauseMs` is null when there was nobody who let it go. */
  #own(slot: Slot, from: string | null, pauseMs: number | null): void {
    const { id, epoch } = slot
    this.#halted.delete(id)
    this.#slots.get(id)?.crash()
    this.#slots.set(id, slot)
    const taken = { slot: id, epoch, kind: pauseMs === null ? 'takeover' : 'planned', pauseMs: pauseMs ?? 0 } as const
    this.#announcer.announce({ type: 'acquired', worker: this.id, from, ...taken })
    this.#news.taken(taken)
    slot
      .run()
      .then((end) => {
        if (this.#slots.get(id) === slot) this.#slots.delete(id)
        this.#news.left(id, epoch, end)
        if (end === 'released') {
          this.#announcer.announce({ type: 'released', slot: id, epoch, worker: this.id, stoppedAt: slot.stoppedAt })
        }
        this.#announcer.beat()
      })
      .catch((error: unknown) => this.#halt(id, error))
      .catch((error: unknown) => this.#broken(error))
    // A hint that came while the slot was being taken.
    this.#maybeLetGo(id)
  }

  /** From here on the worker takes nothing over; it ends once it owns nothing. */
  #startDraining(): void {
    if (this.state !== 'live') return
    this.state = 'draining'
    this.#announcer.beat()
    const look = this.#env.clock.every(drainLookMs, () => {
      if (!this.#isEmpty || this.state !== 'draining') return
      look.cancel()
      this.state = 'drained'
      this.#announcer.beat()
      this.#options.ended('drained')
    })
    this.#timers.push(look)
  }
}

function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0
  for (const item of items) total += of(item)
  return total
}
