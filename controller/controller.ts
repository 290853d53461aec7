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
import type { Lease } from '../store/store.ts'
import { Measurer } from './analysis/measurer.ts'
import type { ControlPlane } from './api/control-plane.ts'
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
import { Drains } from './placement/drains.ts'
import { Placement } from './placement/placement.ts'
import type { GroupView } from './placement/traffic-view.ts'
import { Reconciler, lookMs } from './reconciler.ts'
import { askQueries } from './resources/ask-queries.ts'
import { CurrentResources } from './resources/current.ts'
import { Resources } from './resources/resources.ts'
import { groupInfos, worldOf } from './resources/world.ts'
import { Rollouts } from './rollouts/rollouts.ts'
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

/** The control plane without its listeners. It is never in the way of a message: without it, traffic flows on. */
export class Controller implements ControlPlane {
  readonly id: string
  readonly members: Members
  readonly drains = new Drains()
  readonly faults: FaultBook
  readonly resources: Resources
  readonly placement: Placement
  readonly rollouts: Rollouts
  readonly events: Events
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
  readonly #hearing: Hearing
  readonly #reconciler: Reconciler
  #looking: Timer | null = null
  #isStopped = false

  constructor(env: StoreEnv, options: ControllerOptions) {
    const { config } = options
    this.#env = env
    this.#options = options
    this.id = `c-${env.random.hex(6)}`
    this.members = new Members(this.id, config.worker.heartbeat_interval)
    this.events = new Events(this.id, env.clock)
    this.#hints = new Hints(env)
    this.#wires = new Wires(env, options.openWire, (worker) => this.#gone(worker))
    const resources = new CurrentResources(env.store)
    this.faults = new FaultBook(env, this.#hints, {
      events: this.events,
      resources,
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
      unreadable: (key, error) => {
        if (this.#followed.unreadable(key, error)) this.faults.heard(null)
      },
      failed: (error) => this.#end(error),
    })
    this.#housekeeping = new Housekeeping(env, config, now, (error) => this.#end(error))
    this.placement = new Placement(env, {
      config,
      members: this.members,
      hints: this.#hints,
      announced: this.#announced,
      resources,
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
      resources,
      groups: groupInfos(config),
      drain: (worker) => this.drain(worker),
      news: () => this.#reconciler.news(),
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
      ask: (queries) => askQueries(env, queries),
      changed: () => {
        resources.changed()
        this.faults.changed()
        this.#reconciler.news()
      },
    })
    this.#reconciler = new Reconciler(
      env,
      {
        config,
        leadership: this.#leadership,
        members: this.members,
        burials: this.#burials,
        hints: this.#hints,
        events: this.events,
        resources,
        faults: this.faults,
        placement: this.placement,
        rollouts: this.rollouts,
        drains: this.drains,
      },
      (error) => this.#end(error),
    )
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
    const startedAt = clock.monotonic()
    this.#announcer.start(config.worker.heartbeat_interval)
    await this.#hearing.start(places)
    if (this.#isStopped) return
    this.#housekeeping.start()
    this.#looking = clock.every(lookMs.members, () => this.#reconciler.look())
    this.#reconciler.begin(startedAt)
  }

  get leases(): Lease[] {
    return this.#reconciler.leases
  }

  get serving(): string | null {
    return this.#reconciler.serving
  }

  get unable(): Unable {
    return this.#reconciler.unable
  }

  get ownedSlots(): number {
    return this.#reconciler.ownedSlots
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
    this.drains.startVersion(version, workers)
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
    this.#reconciler.stop()
    this.#looking?.cancel()
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
    if (record.type !== 'config') return
    this.#followed.heard(record)
    this.faults.heard(record)
  }

  #note(record: StatusRecord): void {
    this.#recall(record)
    this.#analyses.heard(record)
    this.rollouts.heard(record)
    const told = newsOf(record, this.members)
    if (told) this.events.publish(told.type, told.data)
    const hasChanged = this.members.note(record, this.#env.clock.monotonic())
    if (hasChanged) this.#holdWires()
    this.placement.heard(record, this.#env.clock.monotonic())
    if (record.type === 'acquired') {
      this.drains.pause(record.from, record.pauseMs)
      this.#env.metrics.handoffs.inc({ result: record.kind })
      if (record.kind === 'planned')
        this.#env.metrics.handoffPause.observe({ kind: record.kind }, record.pauseMs / 1000)
    }
    if (!hasChanged && record.type !== 'acquired' && record.type !== 'released') return
    this.#reconciler.news()
  }

  /** A worker's process has ended: nobody waits for its silence. */
  #gone(worker: string): void {
    if (!this.#burials.bury(worker, this.#env.clock.monotonic())) return
    this.#holdWires()
    this.#reconciler.news()
  }

  #holdWires(): void {
    this.#wires.look([...this.members.workers(), ...this.members.starting()])
  }

  /** How slots are to be shared among versions, and are. */
  traffic(): GroupView[] {
    return this.placement.view({ leases: this.leases, serving: this.serving })
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
