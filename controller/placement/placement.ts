import type { StoreEnv } from '../../cluster/env.ts'
import { formatsOf } from '../../cluster/formats.ts'
import type { Config } from '../../config/config.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Lease } from '../../store/store.ts'
import type { Hints } from '../leading/hints.ts'
import type { Announced } from '../members/announced.ts'
import type { Members } from '../members/members.ts'
import { versionOf } from '../resources/check-subsets.ts'
import type { CurrentResources } from '../resources/current.ts'
import { groupInfos } from '../resources/world.ts'
import { ableWorkers } from './able.ts'
import { unfitReason, unfitVersions } from './compat.ts'
import type { Speaker } from './compat.ts'
import { LostSlots } from './lost-slots.ts'
import { Moves } from './moves.ts'
import { isEjected, lookForOutliers } from './outliers.ts'
import type { Health } from './outliers.ts'
import { PauseWatch } from './pause-watch.ts'
import { SlotRates } from './rates.ts'
import { reconcile } from './reconcile.ts'
import { takeSnapshot } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'
import { trafficView } from './traffic-view.ts'
import type { GroupView } from './traffic-view.ts'
import { missingVersions } from './traffic.ts'
import { noTraffic, wantedTraffic } from './wanted-traffic.ts'
import type { RolledOut, Traffic } from './wanted-traffic.ts'

/** The leases and the version that serves, as the store has them. */
export interface Kept {
  leases: Lease[]
  serving: string | null
}

/** What placement needs of the controller around it. */
export interface PlacementGround {
  config: Config
  members: Members
  hints: Hints
  announced: Announced
  resources: Pick<CurrentResources, 'read' | 'latest'>
}

/** Which worker should own which slot, and the moves that make it so: sees, decides by pure functions, and hints. */
export class Placement {
  readonly #env: StoreEnv
  readonly #ground: PlacementGround
  readonly #moves: Moves
  readonly #lost: LostSlots
  readonly #rates = new SlotRates()
  readonly #pauses = new PauseWatch()
  #traffic: Traffic = noTraffic
  #health: Health = new Map()
  #lookedAt = -Infinity
  /** What was said last, not to say it again: of versions that lack workers, or do not fit. */
  #said = ''

  constructor(env: StoreEnv, ground: PlacementGround) {
    this.#env = env
    this.#ground = ground
    this.#moves = new Moves(env, ground.hints, ground.announced)
    this.#lost = new LostSlots(ground.config.worker.heartbeat_interval)
  }

  /** Slots on their way to another owner. */
  get moving(): ReadonlySet<SlotId> {
    return new Set(this.#moves.pending.keys())
  }

  /** True while some slot may turn out to be lost. */
  get isWatching(): boolean {
    return this.#lost.isWatching
  }

  /** Workers that are taken out for a while. */
  get ejected(): ReadonlySet<string> {
    const now = this.#env.clock.monotonic()
    return new Set([...this.#health].filter(([, health]) => isEjected(health, now)).map(([id]) => id))
  }

  /** Whether a weight is a share of slots or of commands. */
  get weightBy(): 'slots' | 'traffic' {
    return this.#traffic.weightBy
  }

  /** Ms that a slot may stand still while it is handed over; null: as long as it takes. */
  get maxPauseMs(): number | null {
    return this.#traffic.handoff.maxPauseMs
  }

  /** A new term starts without plans of its own: what is under way shows in the leases. */
  forget(): void {
    this.#moves.forget()
    this.#health = new Map()
  }

  /** Takes note of what was announced. */
  heard(record: StatusRecord, now: number): void {
    if (record.type === 'heartbeat' && record.role === 'worker') this.#rates.note(record, now)
    if (record.type !== 'acquired' || record.kind !== 'planned') return
    const { maxPauseMs } = this
    if (!this.#pauses.note(record.pauseMs, maxPauseMs, now)) return
    this.#env.logger.warn(
      { maxPauseMs },
      'slots stood still for longer than maxPause: they move one at a time for a while',
    )
  }

  /** The cluster as it is now. Throws StoreError. */
  async see({ leases, serving }: Kept, now: number): Promise<Snapshot> {
    const { members, config, resources } = this.#ground
    const { understood } = await resources.read(now)
    // Of rollouts nothing is known yet: their shares come with `place`.
    this.#traffic = wantedTraffic(understood, [], groupInfos(config))
    const workers = members.workers().map(({ beat }) => beat)
    this.#eject(now)
    return takeSnapshot(
      {
        leases,
        serving,
        traffic: this.#traffic.groups,
        rates: this.#rates.all,
        ejected: this.ejected,
        unfit: unfitVersions(
          this.#speakers,
          new Set(workers.map(({ version }) => version)),
          serving,
          this.#traffic.compat,
        ),
      },
      members,
      this.#lost.look(leases, workers, now),
      config.controller.death_time,
      now,
    )
  }

  /** Plans, and carries the plan out. Returns the version that serves now. */
  async place(seen: Snapshot, rolledOut: readonly RolledOut[], term: number): Promise<string | null> {
    const { config, resources } = this.#ground
    const { understood } = await resources.read(seen.now)
    this.#traffic = wantedTraffic(understood, rolledOut, groupInfos(config))
    const { groups, handoff } = this.#traffic
    const parallelMax = handoff.maxParallel ?? config.controller.parallel_handoffs
    const limits = {
      parallelMax: this.#pauses.isSlow(seen.now) ? 1 : parallelMax,
      patienceMs: (handoff.drainMs ?? 0) + (handoff.warmup?.timeoutMs ?? 0),
    }
    const plan = reconcile({ ...seen, traffic: groups, pending: this.#moves.pending }, limits)
    const serving = await this.#moves.carryOut(plan, seen.serving, term, handoff)
    this.#tell(seen)
    return serving
  }

  /** How groups are to be shared and are, of these leases. */
  view({ leases, serving }: Kept): GroupView[] {
    const versions = new Map(this.#ground.members.workers().map(({ beat }) => [beat.id, beat.version]))
    const { groups } = this.#traffic
    return trafficView({ leases, serving, traffic: groups, rates: this.#rates.all, versions, moving: this.moving })
  }

  /** Why the workers of a subset would get no slots, null when they would: there is no way to it, nor back to it. */
  refusalOf(subset: string): string | null {
    return this.refusalOfVersion(versionOf(this.#ground.resources.latest.understood, subset) ?? subset)
  }

  /** The same of a version. */
  refusalOfVersion(version: string): string | null {
    const own = this.#speakers.find((each) => each.version === version)?.formats
    return unfitReason(version, own, this.#speakers, this.#traffic.compat.get(version))
  }

  /** Proxies write what workers read, and read what they write. This process is one of those that have seen to the tables. */
  get #speakers(): Speaker[] {
    const { members, config } = this.#ground
    return [
      ...members.workers().map(({ beat }) => beat),
      // Whatever their version is called: it may be that of workers which do not read the same.
      ...members.proxies().map(({ beat: { formats } }) => ({ version: 'a proxy', ...(formats && { formats }) })),
      { version: 'the controller', formats: formatsOf(config) },
    ]
  }

  #eject(now: number): void {
    const { outliers } = this.#traffic
    if (outliers === null) this.#health = new Map()
    else if (now - this.#lookedAt >= outliers.intervalMs) {
      this.#lookedAt = now
      const workers = this.#ground.members.workers().map(({ beat }) => beat)
      const { health, ejected } = lookForOutliers(this.#health, workers, outliers, now)
      this.#health = health
      for (const id of ejected) {
        this.#env.metrics.ejections.inc({ version: workers.find((worker) => worker.id === id)!.version })
        const forMs = health.get(id)!.ejectedUntil - now
        this.#env.logger.error({ worker: id, forMs }, 'worker errs or stalls: it is ejected, its slots go to others')
      }
    }
  }

  /** What keeps weights from what they should be, said once; and the weights. */
  #tell(seen: Snapshot): void {
    const { logger, metrics } = this.#env
    const able = new Set(ableWorkers(seen.workers, seen).map(({ version }) => version))
    const missing = [...missingVersions(this.#traffic.groups, (version) => able.has(version))]
    const lines = [
      ...[...seen.unfit].map(([version, reason]) => `HFT0103: version ${version} gets no slots: ${reason}`),
      ...missing.map((version) => `no worker of version ${version} can own slots: its share falls to the others`),
    ]
    if (this.#said !== lines.join()) for (const line of lines) logger.error(line)
    this.#said = lines.join()
    metrics.workersEjected.set(seen.ejected.size)
    metrics.trafficWeight.reset()
    for (const { group, versions } of this.view(seen)) {
      for (const { version, desired, slots_percent: slots, traffic_percent: traffic } of versions) {
        metrics.trafficWeight.set({ group, version, kind: 'desired' }, desired)
        metrics.trafficWeight.set({ group, version, kind: 'slots' }, slots)
        if (traffic !== null) metrics.trafficWeight.set({ group, version, kind: 'traffic' }, traffic)
      }
    }
  }
}
