import { Announcer } from '../cluster/announcer.ts'
import type { StoreEnv } from '../cluster/env.ts'
import { followDecoded } from '../cluster/follow.ts'
import type { Listener } from '../cluster/follow.ts'
import { FollowedConfig } from '../cluster/followed-config.ts'
import { formatsOf } from '../cluster/formats.ts'
import { checkNamespaces } from '../cluster/pin-groups.ts'
import { slotGroups } from '../cluster/slot-groups.ts'
import { clusterTopics } from '../cluster/topics.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import type { Config } from '../config/config.ts'
import type { LogRange, LogReader } from '../log/log.ts'
import type { Timer } from '../platform/clock.ts'
import { Mutex } from '../platform/mutex.ts'
import type { App } from '../protocol/app/contract.ts'
import { decodeControl } from '../protocol/records/control.ts'
import type { ControlRecord } from '../protocol/records/control.ts'
import type { Address, WorkerState } from '../protocol/records/heartbeat.ts'
import { decodeStatus } from '../protocol/records/status.ts'
import { commandTopic, controlTopic, inboxTopic, statusTopic } from '../protocol/records/topics.ts'
import { Lanes } from './emit/lanes.ts'
import { Reads } from './emit/reads.ts'
import { Ownership } from './ownership.ts'
import { Counters } from './slot/counters.ts'
import type { SlotDeps } from './slot/slot.ts'

/** Who the worker is, what it runs, and who is told that it ends. */
export interface WorkerOptions {
  config: Config
  version: string
  pid: number
  internal: Address
  /** The worker owns nothing any more and was asked to leave, or it can not go on. */
  ended: (why: 'drained' | 'broken') => void
}

/** Offsets at which a worker begins to read. */
interface Places {
  status: number
  control: number
}

/** Characters of why a worker cannot serve that everybody is told. */
export const failedLengthMax = 500

/** How often a draining worker looks whether it is done. */
const drainLookMs = 20
/** How often a worker looks whether the store still says that its slots are its own. */
export const leasesLookMs = 2_000

/** A worker process without its listeners: takes slots over and lets them go as the controller hints. */
export class Worker {
  readonly id: string
  state: WorkerState = 'starting'
  readonly #env: StoreEnv
  readonly #options: WorkerOptions
  readonly #lanes: Lanes
  /** None before it serves. */
  #ownership: Ownership | null = null
  /** Where the log's topics were when it was made known. */
  #places: Places | null = null
  readonly #counters = new Counters()
  readonly #announcer: Announcer
  readonly #followed: FollowedConfig
  readonly #timers: Timer[] = []
  #readers: LogReader[] = []
  #term = 0
  #isStopped = false

  constructor(env: StoreEnv, options: WorkerOptions) {
    const { config, version } = options
    this.#env = env
    this.#options = options
    this.id = `w-${env.random.hex(6)}`
    this.#lanes = new Lanes(env, config.topics.inbox_partitions, config.worker.lane_backlog_max)
    const formats = formatsOf(config)
    this.#followed = new FollowedConfig(env, () => this.#announcer.beat())
    this.#announcer = new Announcer(env, this.id, (beat) => ({
      type: 'heartbeat',
      role: 'worker',
      id: this.id,
      pid: options.pid,
      version,
      internal: options.internal,
      beat,
      state: this.state,
      slots: this.#ownership?.owned ?? [],
      claimed: this.#ownership?.claimed ?? [],
      inFlight: this.#ownership?.inFlight ?? 0,
      outbox: this.#ownership?.outboxRows ?? 0,
      term: this.#term,
      ...this.#followed.member,
      formats,
      counters: this.#counters.work,
      rooms: this.#counters.takeRooms(),
    }))
  }

  /**
   * Resolves when the worker is known to the cluster as one that is starting. Rejects when the log or store is laid out
   * otherwise.
   */
  async join(): Promise<void> {
    const { config } = this.#options
    const { log, store } = this.#env
    const begin = async () => {
      await checkNamespaces(store, config)
      await log.createTopics(clusterTopics(config))
      // All but two so that the first slot of each group does not wait for the log to find its leaders.
      const groups = slotGroups(config).map(({ name }) => commandTopic(name))
      const topics = [statusTopic, controlTopic, inboxTopic, ...groups]
      return Promise.all(topics.map((topic) => log.range(topic, 0)))
    }
    const ranges = await untilAnswered(this.#env, begin, () => this.#isStopped)
    if (ranges === null) return
    const [status, control] = ranges as [LogRange, LogRange]
    this.#places = { status: status.next, control: control.oldest }
    this.#announcer.start(config.worker.heartbeat_interval)
    await this.#announcer.known()
  }

  /** From here on it takes slots, with this app. */
  serve(app: App): void {
    if (this.#isStopped || this.#places === null) return
    const { config } = this.#options
    const { clock } = this.#env
    const ownership = this.#ownershipWith(app)
    this.#ownership = ownership
    this.#follow(statusTopic, this.#places.status, {
      decode: decodeStatus,
      handle: (record) => ownership.heard(record),
    })
    this.#follow(controlTopic, this.#places.control, {
      decode: decodeControl,
      handle: (record) => this.#onControl(record, ownership),
      unreadable: (key, error) => this.#followed.unreadable(key, error),
    })
    this.state = 'live'
    this.#announcer.beat()
    this.#timers.push(
      clock.every(config.worker.heartbeat_interval, () => ownership.look()),
      clock.every(leasesLookMs, () => void ownership.lookAtLeases().catch((error: unknown) => this.#broken(error))),
    )
  }

  /** It will not serve: everybody is told why, in one line, and it ends. */
  async fail(why: string): Promise<void> {
    const failed = { version: this.#options.version, why: why.slice(0, failedLengthMax) }
    await this.#announcer.leave({ type: 'left', role: 'worker', id: this.id, failed })
    this.kill()
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
    this.#ownership?.letAllGo()
    while (!this.#isEmpty && clock.monotonic() < end + deadlineMs) await clock.sleep(drainLookMs)
    await this.#announcer.leave({ type: 'left', role: 'worker', id: this.id })
    this.kill()
  }

  /** Ends everything at once, as a crash would: nothing is let go. */
  kill(): void {
    this.#isStopped = true
    this.#announcer.stop()
    for (const timer of this.#timers) timer.cancel()
    for (const reader of this.#readers) reader.close()
    this.#ownership?.kill()
    this.#lanes.stop()
    this.#env.faults.stop()
  }

  get #isEmpty(): boolean {
    return this.#ownership?.isEmpty !== false && this.#lanes.isIdle
  }

  #ownershipWith(app: App): Ownership {
    const { config, version } = this.#options
    const as = { worker: this.id, version }
    const reads = new Reads(this.#env, app, this.#lanes, {
      ...as,
      concurrency: config.worker.reads_max,
      deadlineMs: config.client.reply_deadline,
    })
    const deps: SlotDeps = {
      ...as,
      env: this.#env,
      app,
      lanes: this.#lanes,
      reads,
      batchMax: config.worker.batch_max,
      counters: this.#counters,
      careful: new Mutex(),
      steppedDown: new Map(),
    }
    return new Ownership(this.#env, deps, {
      ...as,
      cacheMax: config.worker.cache_channels_max,
      quiesceMs: config.worker.quiesce_timeout,
      isTaking: () => this.state === 'live',
      announce: (record) => this.#announcer.announce(record),
      announced: (record) => this.#announcer.announced(record),
      changed: () => this.#announcer.beat(),
      broken: (error) => this.#broken(error),
    })
  }

  #follow<T>(topic: string, from: number, listener: Listener<T>): void {
    const reader = this.#env.log.read(topic, 0, from)
    this.#readers.push(reader)
    followDecoded(reader, this.#env.logger, listener).catch((error: unknown) => this.#broken(error))
  }

  #broken(error: unknown): void {
    if (this.#isStopped) return
    this.#env.logger.fatal({ err: error }, 'worker cannot go on')
    this.kill()
    this.#options.ended('broken')
  }

  #onControl(record: ControlRecord, ownership: Ownership): void {
    if (record.term < this.#term) return
    this.#term = record.term
    if (record.type === 'move') ownership.moved(record)
    else if (record.type === 'config') this.#followed.heard(record)
    else if (record.type === 'drain' && record.worker === this.id) this.#startDraining()
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
