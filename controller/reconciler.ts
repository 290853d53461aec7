import type { StoreEnv } from '../cluster/env.ts'
import type { Config } from '../config/config.ts'
import { StoreError } from '../store/errors.ts'
import type { Lease } from '../store/store.ts'
import type { Events } from './events/events.ts'
import type { FaultBook } from './faults/fault-book.ts'
import type { Hints } from './leading/hints.ts'
import type { Leadership } from './leading/leadership.ts'
import type { Burials } from './members/burials.ts'
import { configFollowers } from './members/followers.ts'
import type { Members } from './members/members.ts'
import type { Unable } from './placement/able.ts'
import type { Drains } from './placement/drains.ts'
import type { Placement } from './placement/placement.ts'
import type { Snapshot } from './placement/snapshot.ts'
import type { CurrentResources } from './resources/current.ts'
import type { Rollouts } from './rollouts/rollouts.ts'
import { sharedGroups } from './rollouts/shares.ts'

/** How often silence is looked at; rollouts under way; and the leases, when nothing was announced. */
export const lookMs = { members: 200, rollouts: 500, leases: 2_000 }

/** What the loop looks at and acts by. */
export interface ReconcilerParts {
  config: Config
  leadership: Leadership
  members: Members
  burials: Burials
  hints: Hints
  events: Events
  resources: CurrentResources
  faults: FaultBook
  placement: Placement
  rollouts: Rollouts
  drains: Drains
}

/**
 * The leader's loop: sees the cluster, plans, and carries the plan out. One look at a time; what happens meanwhile is looked
 * at right after.
 */
export class Reconciler {
  /** As last looked at: the leases, the version that serves, and who cannot own slots. */
  leases: Lease[] = []
  serving: string | null = null
  unable: Unable = { stuck: new Set(), ejected: new Set(), unfit: new Map() }
  readonly #env: StoreEnv
  readonly #parts: ReconcilerParts
  /** Told that it cannot go on. */
  readonly #failed: (error: unknown) => void
  #adoptedTerm: number | null = null
  #startedAt = 0
  /** It knows what was announced before it: without that it would plan from too little. */
  #hasBegun = false
  #isLooking = false
  /** Something was announced, or somebody died, since the leases were looked at. */
  #hasNews = true
  #reconciledAt = 0
  #lookAgain = false

  constructor(env: StoreEnv, parts: ReconcilerParts, failed: (error: unknown) => void) {
    this.#env = env
    this.#parts = parts
    this.#failed = failed
  }

  /** All that was announced is known; `startedAt` is the monotonic ms at which heartbeats were first listened to. */
  begin(startedAt: number): void {
    this.#startedAt = startedAt
    this.#hasBegun = true
    this.look()
  }

  /** Looks no more. */
  stop(): void {
    this.#hasBegun = false
  }

  /** Something happened that the leases may have to do with. */
  news(): void {
    this.#hasNews = true
    this.look()
  }

  /** To be called again and again. */
  look(): void {
    if (!this.#hasBegun) return
    if (this.#isLooking) {
      this.#lookAgain = true
      return
    }
    this.#isLooking = true
    this.#lookAgain = false
    this.#lookOnce()
      .catch((error: unknown) => {
        if (!(error instanceof StoreError) || error.code !== 'unavailable') return this.#failed(error)
        this.#hasNews = true
        this.#env.logger.debug({ err: error }, 'store is away')
      })
      .finally(() => {
        this.#isLooking = false
        if (this.#lookAgain) this.look()
      })
  }

  async #lookOnce(): Promise<void> {
    const { clock, metrics } = this.#env
    const { config, leadership, faults, burials, rollouts, placement } = this.#parts
    await this.#lead()
    metrics.leader.set(leadership.isHeld ? 1 : 0)
    if (!leadership.isHeld) return
    await faults.look(leadership.term)
    const now = clock.monotonic()
    // All that are alive have been heard of after a few heartbeats; before, a plan would be made anew at once.
    if (now - this.#startedAt < config.worker.heartbeat_interval * settleBeats) return
    if (burials.forgetDead(now)) this.#hasNews = true
    const restMs = rollouts.isWaiting ? lookMs.rollouts : lookMs.leases
    if (this.#hasNews || placement.isWatching || now - this.#reconciledAt > restMs) {
      this.#hasNews = false
      this.#reconciledAt = now
      await this.#reconcile(now)
    }
    await burials.retireDead(now)
  }

  /** A new term starts without plans of its own. */
  async #lead(): Promise<void> {
    const { leadership, resources, placement, rollouts, burials, events } = this.#parts
    await leadership.renew()
    const { term } = leadership
    if (!leadership.isHeld || term === this.#adoptedTerm) return
    resources.changed()
    placement.forget()
    rollouts.forget()
    await burials.adoptInstances()
    await this.#tellNamespaces(term)
    this.#adoptedTerm = term
    events.publish('leading', { id: leadership.candidate, term })
  }

  /** Proxies cannot ask the store whether they are configured as the cluster is. */
  async #tellNamespaces(term: number): Promise<void> {
    const { config, hints } = this.#parts
    if (config.channel.namespaces.length === 0) return
    hints.send({ type: 'namespaces', term, groups: await this.#env.store.namespaces() })
  }

  async #reconcile(now: number): Promise<void> {
    const { store } = this.#env
    const { placement, rollouts, members, leadership } = this.#parts
    const [leases, serving] = await Promise.all([store.leases(), store.servingVersion()])
    this.leases = leases
    const seen = await placement.see({ leases, serving }, now)
    this.unable = seen
    this.#tell(seen)
    await rollouts.look({
      ...seen,
      leases,
      starting: members.starting().map(({ beat }) => beat),
      proxies: members.proxies().map(({ beat }) => beat),
      moving: placement.moving,
      weightBy: placement.weightBy,
      maxPauseMs: placement.maxPauseMs,
    })
    const rolledOut = sharedGroups(rollouts.shares(), leases)
    this.serving = await placement.place(seen, rolledOut, leadership.term)
  }

  /** What is wrong with the cluster that a person should know of, and how many processes it has. */
  #tell({ stuck, lost }: Snapshot): void {
    const { logger, metrics } = this.#env
    const { members, drains } = this.#parts
    for (const id of stuck) logger.error({ worker: id }, 'worker does not get on, its slots go to others')
    for (const slot of lost) logger.error({ slot }, 'the owner of the slot does not have it, it is given anew')
    metrics.drainRemaining.reset()
    const workers = members.workers().map(({ beat }) => beat)
    for (const [version, remaining] of drains.remaining(workers, this.leases))
      for (const [kind, count] of Object.entries(remaining)) metrics.drainRemaining.set({ version, kind }, count)
    metrics.members.reset()
    for (const { beat } of [...members.workers(), ...members.proxies()])
      metrics.members.inc({ role: beat.role, version: beat.version })
    metrics.configAcked.set(Math.min(...configFollowers(members).map(({ revision }) => revision ?? 0)))
    metrics.slotsUnowned.set(this.leases.length - this.ownedSlots)
  }

  /** Slots with a live owner. */
  get ownedSlots(): number {
    const live = new Set(this.#parts.members.workers().map(({ beat }) => beat.id))
    return this.leases.filter(({ owner }) => owner !== null && live.has(owner)).length
  }
}

/** Heartbeat intervals after which a controller that just started has heard of everybody. */
const settleBeats = 2
