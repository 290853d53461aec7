import { Announcer } from '../cluster/announcer.ts'
import type { StoreEnv } from '../cluster/env.ts'
import { FollowedConfig } from '../cluster/followed-config.ts'
import { checkNamespaces, pinGroups } from '../cluster/pin-groups.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import { areFaultsOn } from '../config/config.ts'
import type { Config } from '../config/config.ts'
import type { OpenWire } from '../platform/alive.ts'
import type { Timer } from '../platform/clock.ts'
import type { ControlRecord } from '../protocol/records/control.ts'
import type { Address, ProxyBeat } from '../protocol/records/heartbeat.ts'
import type { StatusRecord } from '../protocol/records/status.ts'
import { StoreError } from '../store/errors.ts'
import type { Lease } from '../store/store.ts'
import { Measurer } from './analysis/measurer.ts'
import type { ConfigFollower, ControlPlane } from './api/control-plane.ts'
import { newsOf } from './events/announcements.ts'
import { Events } from './events/events.ts'
import { FaultBook } from './faults/fault-book.ts'
import { Hints } from './leading/hints.ts'
import { Leadership } from './leading/leadership.ts'
import type { Holder } from './leading/leadership.ts'
import { Announced } from './members/announced.ts'
import { Burials } from './members/burials.ts'
import { Hearing } from './members/hearing.ts'
import { Instances } from './members/instances.ts'
import { Members } from './members/members.ts'
import type { Member } from './members/members.ts'
import { Wires } from './members/wires.ts'
import type { Unable } from './placement/able.ts'
import { DrainRuns } from './placement/drain-runs.ts'
import { Placement } from './placement/placement.ts'
import type { Snapshot } from './placement/snapshot.ts'
import type { GroupView } from './placement/traffic-view.ts'
import { VersionDrains } from './placement/version-drains.ts'
import { Resources } from './resources/resources.ts'
import { worldOf } from './resources/world.ts'
import { Rollouts } from './rollouts/rollouts.ts'
import { sharedGroups } from './rollouts/shares.ts'
import { Housekeeping } from './upkeep/housekeeping.ts'

/** Who the controller is, and who is told that it cannot go on. */
export interface ControllerOptions {
  config: Config
  version: string
  pid: number
  internal: Address
  /** How it knows at once that a worker's process has ended. */
  openWire: OpenWire
  /** The log or the store is laid out otherwise, or can no longer be followed. */
  ended: (error: unknown) => void
}

/** How often silence is looked at; rollouts under way; and the leases, when nothing was announced. */
export const lookMs = { members: 200, rollouts: 500, leases: 2_000 }

/** The control plane without its listeners. It is never in the way of a message: without it, traffic flows on. */
export class Controller implements ControlPlane {
  readonly id: string
  readonly members: Members
  readonly drains: DrainRuns
  readonly versionDrains = new VersionDrains()
  unable: Unable = { stuck: new Set(), ejected: new Set(), unfit: new Map() }
  readonly faults: FaultBook
  readonly resources: Resources
  readonly placement: Placement
  readonly rollouts: Rollouts
  readonly events: Events
  leases: Lease[] = []
  serving: string | null = null
  readonly #env: StoreEnv
  readonly #options: ControllerOptions
  readonly #announcer: Announcer
  readonly #followed: FollowedConfig
  readonly #hints: Hints
  readonly #burials: Burials
  readonly #leadership: Leadership
  readonly #announced = new Announced()
  readonly #wires: Wires
  readonly #housekeeping: Housekeeping
  readonly #analyses: Measurer
  #adoptedTerm: number | null = null
  readonly #timers: Timer[] = []
  readonly #hearing: Hearing
  #startedAt = 0
  /** It knows what was announced before it: without that it would plan from too little. */
  #hasBegun = false
  #isLooking = false
  /** Something was announced, or somebody died, since the leases were looked at. */
  #hasNews = true
  #reconciledAt = 0
  #lookAgain = false
  #isStopped = false

  constructor(env: StoreEnv, options: ControllerOptions) {
    const { config } = options
    this.#env = env
    this.#options = options
    this.id = `c-${env.random.hex(6)}`
    this.members = new Members(this.id, config.worker.heartbeat_interval)
    this.drains = new DrainRuns()
    this.events = new Events(this.id, env.clock)
    this.#hints = new Hints(env)
    this.#wires = new Wires(options.openWire, (worker) => this.#gone(worker))
    this.faults = new FaultBook(env, this.#hints, {
      events: this.events,
      areOn: areFaultsOn(config),
      mustExpire: !config.dev.active,
    })
    this.#leadership = new Leadership(env, this.id)
    const now = () => ({
      isLeader: this.isLeader,
      leases: this.leases,
      proxies: this.members.proxies().map(({ beat }) => beat),
    })
    this.#hearing = new Hearing(env, {
      news: (record) => this.#note(record),
      past: (record) => this.#recall(record),
      failed: (error) => this.#end(error),
    })
    this.#housekeeping = new Housekeeping(env, config, now, (error) => this.#end(error))
    this.placement = new Placement(env, {
      config,
      members: this.members,
      hints: this.#hints,
      announced: this.#announced,
    })
    const instances = new Instances(env, {
      controller: this.id,
      slots: () => this.leases.map(({ slot }) => slot),
      inboxPartitions: config.topics.inbox_partitions,
    })
    this.#burials = new Burials(env, config, this.members, instances, this.events)
    this.#analyses = new Measurer(env)
    this.rollouts = new Rollouts(env, {
      term: () => this.#leadership.term,
      drain: (worker) => this.drain(worker),
      news: () => this.#news(),
      analyses: this.#analyses,
      events: this.events,
      refusalOfVersion: (version) => this.placement.refusalOfVersion(version),
    })
    this.resources = new Resources(env.store, {
      term: () => this.#leadership.term,
      world: () => worldOf(config, new Set(this.members.workers().map(({ beat }) => beat.version))),
      refusal: ({ kind, metadata, spec }) => {
        if (kind !== 'Rollout') return null
        const { canaryService } = spec.strategy.canary
        return this.rollouts.refusalOf(metadata.name, spec) ?? this.placement.refusalOf(canaryService)
      },
      changed: () => {
        this.faults.changed()
        this.rollouts.changed()
        this.placement.changed()
        this.#news()
      },
    })
    this.#followed = new FollowedConfig(env, () => this.#announcer.beat())
    this.#announcer = new Announcer(env, this.id, (beat) => ({
      type: 'heartbeat',
      role: 'controller',
      id: this.id,
      pid: options.pid,
      version: options.version,
      internal: options.internal,
      beat,
      ...this.#followed.member,
    }))
  }

  /** Rejects when the topics or the slot groups are laid out otherwise than configured. */
  async start(): Promise<void> {
    const { config } = this.#options
    const { clock, log, store } = this.#env
    const begin = async () => {
      await checkNamespaces(store, config)
      await log.createTopics(this.#housekeeping.topics.wanted)
      await pinGroups(store, config, this.id)
      return this.#hearing.places()
    }
    const places = await untilAnswered(this.#env, begin, () => this.#isStopped)
    if (places === null) return
    this.#startedAt = clock.monotonic()
    this.#announcer.start(config.worker.heartbeat_interval)
    await this.#hearing.start(places)
    if (this.#isStopped) return
    this.#hasBegun = true
    this.#housekeeping.start()
    this.#timers.push(clock.every(lookMs.members, () => this.#look()))
    this.#look()
  }

  /** True while it may send hints. */
  get isLeader(): boolean {
    return this.#leadership.isHeld
  }

  /** The last one led in; of use only while it leads. */
  get term(): number {
    return this.#leadership.term
  }

  /** Another controller that leads, when the store has said so. */
  get holder(): Holder | null {
    return this.#leadership.holder
  }

  /** Lets a worker's slots be taken over. */
  drain(worker: string): void {
    this.drains.start(worker)
    this.events.publish('drain', { worker })
    this.#hints.send({ type: 'drain', term: this.#leadership.term, worker })
  }

  /** Lets the slots of all these workers of a version be taken over. */
  drainVersion(version: string, workers: readonly string[]): void {
    this.versionDrains.start(version, workers)
    for (const worker of workers) this.drain(worker)
  }

  /** Says goodbye, so that nobody waits for its heartbeats, and ends. */
  async stop(): Promise<void> {
    await this.#announcer.leave({ type: 'left', role: 'controller', id: this.id })
    this.kill()
  }

  /** Ends without a word, as a crash would. Another controller leads once the term has run out. */
  kill(): void {
    this.#isStopped = true
    this.#announcer.stop()
    this.#housekeeping.stop()
    this.#hints.stop()
    this.rollouts.stop()
    this.#env.faults.stop()
    this.#hearing.stop()
    this.#wires.stop()
    for (const timer of this.#timers) timer.cancel()
  }

  #end(error: unknown): void {
    if (this.#isStopped) return
    this.kill()
    this.#options.ended(error)
  }

  /** What stays true, however long ago it was said: how far slots were, and which terms there have been. */
  #recall(record: StatusRecord | ControlRecord): void {
    this.#announced.note(record)
    if ('term' in record && record.term !== undefined) this.#leadership.heard(record.term)
    if (record.type === 'config') this.#followed.heard(record)
  }

  #note(record: StatusRecord): void {
    this.#recall(record)
    this.#analyses.heard(record)
    this.rollouts.heard(record)
    const told = newsOf(record, this.members)
    if (told) this.events.publish(told.type, told.data)
    const hasChanged = this.members.note(record, this.#env.clock.monotonic())
    if (hasChanged) this.#wires.look(this.members.workers())
    this.placement.heard(record, this.#env.clock.monotonic())
    if (record.type === 'acquired') {
      this.drains.pause(record.from, record.pauseMs)
      this.#env.metrics.handoffs.inc({ result: record.kind })
      if (record.kind === 'planned')
        this.#env.metrics.handoffPause.observe({ kind: record.kind }, record.pauseMs / 1000)
    }
    if (!hasChanged && record.type !== 'acquired' && record.type !== 'released') return
    this.#news()
  }

  #news(): void {
    this.#hasNews = true
    this.#look()
  }

  /** A worker's process has ended: nobody waits for its silence. */
  #gone(worker: string): void {
    if (!this.#burials.bury(worker, this.#env.clock.monotonic())) return
    this.#wires.look(this.members.workers())
    this.#news()
  }

  /** One look at a time; what happens meanwhile is looked at right after. */
  #look(): void {
    if (!this.#hasBegun) return
    if (this.#isLooking) {
      this.#lookAgain = true
      return
    }
    this.#isLooking = true
    this.#lookAgain = false
    this.#lookOnce()
      .catch((error: unknown) => {
        if (!(error instanceof StoreError) || error.code !== 'unavailable') return this.#end(error)
        this.#hasNews = true
        this.#env.logger.debug({ err: error }, 'store is away')
      })
      .finally(() => {
        this.#isLooking = false
        if (this.#lookAgain && !this.#isStopped) this.#look()
      })
  }

  async #lookOnce(): Promise<void> {
    const { clock, metrics } = this.#env
    await this.#lead()
    metrics.leader.set(this.isLeader ? 1 : 0)
    if (!this.isLeader) return
    await this.faults.look(this.#leadership.term)
    const now = clock.monotonic()
    // All that are alive have been heard of after a few heartbeats; before, a plan would be made anew at once.
    if (now - this.#startedAt < this.#options.config.worker.heartbeat_interval * settleBeats) return
    if (this.#burials.forgetDead(now)) this.#hasNews = true
    const restMs = this.rollouts.isWaiting ? lookMs.rollouts : lookMs.leases
    if (this.#hasNews || this.placement.isWatching || now - this.#reconciledAt > restMs) {
      this.#hasNews = false
      this.#reconciledAt = now
      await this.#reconcile(now)
    }
    await this.#burials.retireDead(now)
  }

  /** A new term starts without plans of its own. */
  async #lead(): Promise<void> {
    await this.#leadership.renew()
    const { term } = this.#leadership
    if (!this.isLeader || term === this.#adoptedTerm) return
    this.placement.forget()
    this.rollouts.forget()
    await this.#burials.adoptInstances()
    await this.#tellNamespaces()
    this.#adoptedTerm = term
    this.events.publish('leading', { id: this.id, term })
  }

  /** Proxies cannot ask the store whether they are configured as the cluster is. */
  async #tellNamespaces(): Promise<void> {
    if (this.#options.config.channel.namespaces.length === 0) return
    const groups = await this.#env.store.namespaces()
    this.#hints.send({ type: 'namespaces', term: this.#leadership.term, groups })
  }

  /** Sees the cluster, plans, and carries the plan out. */
  async #reconcile(now: number): Promise<void> {
    const { store, metrics } = this.#env
    const [leases, serving] = await Promise.all([store.leases(), store.servingVersion()])
    this.leases = leases
    const seen = await this.placement.see({ leases, serving }, now)
    this.unable = seen
    this.#tell(seen)
    await this.rollouts.look({
      ...seen,
      leases,
      proxies: this.members.proxies().map(({ beat }) => beat),
      moving: this.placement.moving,
      weightBy: this.placement.weightBy,
    })
    const rolledOut = sharedGroups(this.rollouts.shares(), leases)
    this.serving = await this.placement.place(seen, rolledOut, this.#leadership.term)
    metrics.slotsUnowned.set(leases.length - this.ownedSlots)
  }

  /** What is wrong with the cluster that a person should know of, and how many processes it has. */
  #tell({ stuck, lost }: Snapshot): void {
    const { logger, metrics } = this.#env
    for (const id of stuck) logger.error({ worker: id }, 'worker does not get on, its slots go to others')
    for (const slot of lost) logger.error({ slot }, 'the owner of the slot does not have it, it is given anew')
    metrics.drainRemaining.reset()
    const workers = this.members.workers().map(({ beat }) => beat)
    for (const [version, remaining] of this.versionDrains.remaining(workers, this.leases))
      for (const [kind, count] of Object.entries(remaining)) metrics.drainRemaining.set({ version, kind }, count)
    metrics.members.reset()
    for (const { beat } of [...this.members.workers(), ...this.members.proxies()])
      metrics.members.inc({ role: beat.role, version: beat.version })
    metrics.configAcked.set(Math.min(...this.followers().map(({ revision }) => revision ?? 0)))
  }

  /** What each process follows of the configuration, as it says. */
  followers(): ConfigFollower[] {
    return [...this.members.controllers(), ...this.members.proxies(), ...this.members.workers()].map(({ beat }) => ({
      id: beat.id,
      role: beat.role,
      version: beat.version,
      revision: beat.config?.revision ?? null,
      rejected: beat.config?.rejected ?? null,
    }))
  }

  /** How slots are to be shared among versions, and are. */
  traffic(): GroupView[] {
    return this.placement.view({ leases: this.leases, serving: this.serving })
  }

  /** Slots with a live owner. */
  get ownedSlots(): number {
    const live = new Set(this.members.workers().map(({ beat }) => beat.id))
    return this.leases.filter(({ owner }) => owner !== null && live.has(owner)).length
  }

  /** Proxies that are there right now; one that is silent for a while is not dead yet, but not to be counted on. */
  liveProxies(): Member<ProxyBeat>[] {
    const now = this.#env.clock.monotonic()
    const silentMs = this.#options.config.proxy.heartbeat_interval * silentBeats
    return this.members.proxies().filter(({ beat }) => !this.members.isDead(beat.id, silentMs, now))
  }
}

/** Missed heartbeats after which a proxy is not counted among the live ones. */
const silentBeats = 3
/** Heartbeat intervals after which a controller that just started has heard of everybody. */
const settleBeats = 2
