import type { StoreEnv } from '../../cluster/env.ts'
import { Mutex } from '../../platform/mutex.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import type { DocumentWrite } from '../../store/store.ts'
import type { Measurer } from '../analysis/measurer.ts'
import type { JudgedRoom, RoomVerdict } from '../analysis/room-trial.ts'
import type { RunOutcome } from '../analysis/run.ts'
import type { Events } from '../events/events.ts'
import type { CurrentResources, KnownResources } from '../resources/current.ts'
import type { GroupInfo } from '../resources/groups.ts'
import type { RolloutResourceSpec } from '../resources/rollout.ts'
import { Applied } from './applied.ts'
import type { AppliedRollout } from './applied.ts'
import { ableWorkers, isCarriedOut, slotsOf } from './cluster-view.ts'
import type { ClusterView } from './cluster-view.ts'
import { command } from './commands.ts'
import type { Command, Patch } from './commands.ts'
import { Departures } from './departures.ts'
import type { Departed } from './departures.ts'
import { RolloutError } from './errors.ts'
import { askHooks, forgetAnswers, tellHooks } from './hooks.ts'
import { hasEnded, KeptRollouts } from './kept-rollouts.ts'
import type { Keep, Kept, Ordered } from './kept-rollouts.ts'
import type { Observation } from './observation.ts'
import { refusal } from './refusal.ts'
import { noteVerdict } from './report.ts'
import type { RolloutReport } from './report.ts'
import { RolloutClock } from './rollout-clock.ts'
import { observeEnd, showRollouts } from './rollout-metrics.ts'
import type { RolloutShare } from './shares.ts'
import type { RolloutSpec } from './spec.ts'
import { isUnderWay } from './state.ts'
import type { Entry, RolloutState } from './state.ts'
import { step } from './step.ts'
import type { Stepped } from './step.ts'
import { viewOf } from './view.ts'
import type { RolloutView } from './view.ts'
import { wantedRuns } from './wanted-runs.ts'
import { Webhooks } from './webhooks.ts'

/** What rollouts need of the controller around them. */
export interface RolloutGround {
  /** Of the lead that is held. */
  term: () => number
  resources: Pick<CurrentResources, 'read' | 'changed'>
  /** Slot groups of the cluster. */
  groups: readonly GroupInfo[]
  drain: (worker: string) => void
  /** Something was decided that placement should know of. */
  news: () => void
  analyses: Measurer
  /** Why workers of a version would get no slots; null when they would. */
  refusalOfVersion: (version: string) => string | null
  events: Events
}

/**
 * Carries out the rollouts that are applied, in the controller that leads: it looks, decides (step.ts), keeps what it
 * decided, and only then lets it be seen. A leader that was followed meanwhile keeps nothing, so it does nothing either.
 */
export class Rollouts {
  readonly #env: StoreEnv
  readonly #ground: RolloutGround
  readonly #webhooks: Webhooks
  readonly #departures = new Departures()
  readonly #kept: KeptRollouts
  #clock: RolloutClock
  /** What is applied, and what it was made of; null before anything is known. */
  #applied: Applied | null = null
  #known: KnownResources | null = null
  #view: ClusterView | null = null
  #runs: ReadonlyMap<string, RunOutcome> = new Map()
  /** One look or command at a time: each begins from what the one before has kept. */
  readonly #turns = new Mutex()

  constructor(env: StoreEnv, ground: RolloutGround) {
    this.#env = env
    this.#ground = ground
    this.#webhooks = new Webhooks(env)
    this.#kept = new KeptRollouts(env, ground)
    this.#clock = new RolloutClock(env.clock)
  }

  /** Another term begins: all that is known is read anew. */
  forget(): void {
    this.#applied = null
    this.#kept.forget()
    this.#departures.forget()
    this.#view = null
  }

  /** True while time alone may bring one of them on. */
  get isWaiting(): boolean {
    return this.#applied === null || this.#kept.all.some(({ state }) => isUnderWay(state) || state.endedAt === null)
  }

  /** Takes note of what was announced. */
  heard(record: StatusRecord): void {
    this.#departures.heard(record)
    this.#kept.heard(record, this.#view?.maxPauseMs ?? Infinity)
  }

  /** Looks at the cluster, and takes every rollout as far as it goes. */
  async look(view: ClusterView): Promise<void> {
    const gone = this.#departures.look(view.workers, view.starting)
    for (const { id, version } of gone) this.#ground.analyses.crashed(id, version)
    await this.#turns
      .run(() => this.#lookOnce(view, gone))
      .catch((error: unknown) => {
        if (!(error instanceof RolloutError)) throw error
        this.#env.logger.debug({ err: error }, 'rollouts are read anew')
      })
  }

  async #lookOnce(view: ClusterView, gone: readonly Departed[]): Promise<void> {
    this.#view = view
    this.#kept.look(view.proxies)
    const applied = await this.#read()
    if (view.serving === null) return
    this.#runs = this.#analyse(applied)
    for (const [name, { spec }] of applied.rollouts) {
      const kept = this.#kept.get(name) ?? this.#kept.begin(spec, view.serving, this.#now)
      const crashes = gone.filter(({ version }) => version === kept.state.canary)
      const news = {
        crashes: crashes.length,
        lastCrash: crashes.at(-1)?.how ?? null,
        longPauses: kept.longPauses,
      }
      const seen = { ...this.#seen(kept, spec, view), ...news }
      kept.longPauses = 0
      await this.#take(kept, spec, step(kept.state, spec, seen, this.#now))
    }
    await this.#kept.forgetDeleted((name) => applied.rollouts.has(name) || applied.broken.has(name))
    const states = this.#kept.all.map(({ state }) => state)
    forgetAnswers(this.#webhooks, states)
    showRollouts(this.#env.metrics, states, view)
  }

  /** What placement is to do; what it is told from here on is what the next look expects of it. */
  shares(): RolloutShare[] {
    return this.#kept.all.map((kept) => {
      const { groups, stable, canary, weight } = kept.state
      kept.told = { canary, weight }
      return { groups, stable, canary, canaryWeight: weight }
    })
  }

  /** Versions whose workers are to be there. */
  get versionsWanted(): Set<string> {
    const wanted = new Set<string>()
    for (const { state } of this.#kept.all) {
      wanted.add(state.stable)
      if (state.endedAt === null || state.mode === 'replaced') wanted.add(state.canary)
      for (const { version } of state.retained) wanted.add(version)
    }
    return wanted
  }

  /** How they are, by name. */
  views(): RolloutView[] {
    return [...(this.#applied?.rollouts.keys() ?? [])].toSorted().map((name) => this.view(name))
  }

  /** How one is. Throws RolloutError when there is none. */
  view(name: string): RolloutView {
    const { kept, applied, view } = this.#find(name)
    return viewOf(kept.state, applied.spec, this.#seen(kept, applied.spec, view), this.#runs)
  }

  /** Rooms that the canary of one handles, or handled last; of all, or of one verdict. Throws RolloutError when there is none. */
  rooms(name: string, verdict?: RoomVerdict): JudgedRoom[] {
    this.#find(name)
    return this.#ground.analyses.rooms(name, verdict)
  }

  /** Why a Rollout cannot be applied now, in words that say what to do; null when it can. */
  refusalOf(name: string, { strategy: { canary } }: RolloutResourceSpec): string | null {
    const state = this.#kept.get(name)?.state
    return state && this.#applied ? refusal(state, this.#applied.versionOf(canary.canaryService)) : null
  }

  /** Reports of a rollout, the newest first. */
  reports(name: string, limit: number): Promise<RolloutReport[]> {
    return this.#kept.reports(name, limit)
  }

  /**
   * Does what `who` says: `keep` writes what comes of it, with a note of it. Throws RolloutError when it has no effect, and
   * what `keep` throws.
   */
  async order(name: string, order: Command, who: string, keep: Keep): Promise<RolloutView> {
    await this.#turns.run(async () => {
      await this.#read()
      const { kept, applied, view } = this.#find(name)
      const seen = this.#seen(kept, applied.spec, view)
      const outcome = command(kept.state, { spec: applied.spec, seen, now: this.#now }, order, who)
      if ('refused' in outcome) throw new RolloutError('rollout_refused', outcome.refused)
      const { canary } = outcome.patch
      const unfit = canary === undefined || canary === kept.state.stable ? null : this.#ground.refusalOfVersion(canary)
      if (unfit !== null) throw new RolloutError('rollout_refused', unfit)
      const resource = this.#applied!.patched(applied, outcome.patch)
      const stepped = step(outcome.state, resource.spec, seen, this.#now)
      stepped.happened.unshift(...outcome.happened)
      const writes = isEmpty(outcome.patch) ? [] : [writeOf(applied, resource.body)]
      await this.#take(kept, resource.spec, stepped, { what: `rollout ${order.type}`, writes, keep })
      await this.#read()
    })
    return this.view(name)
  }

  stop(): void {
    this.#webhooks.stop()
  }

  get #now(): number {
    return this.#clock.now()
  }

  /** What is applied; and in a new term what the leader before has kept of it. */
  async #read(): Promise<Applied> {
    const known = await this.#ground.resources.read(this.#env.clock.monotonic())
    if (this.#applied !== null && known === this.#known) return this.#applied
    if (this.#applied === null) {
      this.#clock = new RolloutClock(this.#env.clock)
      await this.#kept.adopt(this.#now)
    }
    const said = this.#applied?.broken
    const applied = new Applied(known, this.#ground.groups)
    this.#known = known
    this.#applied = applied
    // Resources are read every few seconds: what is wrong with one is said when it is new.
    for (const [name, why] of applied.broken)
      if (said?.get(name) !== why) this.#env.logger.error({ rollout: name, why }, 'it cannot be understood')
    return applied
  }

  #find(name: string): { kept: Kept; applied: AppliedRollout; view: ClusterView } {
    const applied = this.#applied?.rollouts.get(name)
    if (this.#applied !== null && applied === undefined)
      throw new RolloutError('unknown_rollout', `no Rollout ${name} is applied`)
    const kept = this.#kept.get(name)
    if (!applied || !kept || !this.#view)
      throw new RolloutError('not_begun', `nothing is known of ${name} yet, try again`)
    return { kept, applied, view: this.#view }
  }

  /** Keeps what was decided, and does what follows from it. */
  async #take(kept: Kept, spec: RolloutSpec, { state, happened, serve, drain }: Stepped, by?: Ordered): Promise<void> {
    const before = kept.state
    if (happened.length > 0 || by || kept.revision === 0 || JSON.stringify(state) !== JSON.stringify(before)) {
      await this.#write(kept, state, by)
    }
    if (serve !== null) await this.#env.store.setServingVersion(this.#view!.serving, serve)
    if (serve !== null || before.weight !== state.weight || by) this.#ground.news()
    if (drain !== null) this.#ground.drain(drain)
    for (const entry of happened) this.#announce(entry, spec, state)
    if (state.phase === 'Degraded' && (before.phase !== 'Degraded' || before.message !== state.message)) {
      this.#env.logger.error({ rollout: state.name, reason: state.reason }, state.message)
    }
  }

  async #write(kept: Kept, state: RolloutState, by: Ordered | undefined): Promise<void> {
    const before = kept.state
    await this.#kept.write(kept, state, this.#now, by).catch((error: unknown) => {
      // Whether it was written may not be known.
      this.forget()
      throw error
    })
    if (by?.writes.length) this.#ground.resources.changed()
    if (hasEnded(before, state)) observeEnd(this.#env.metrics, state)
  }

  #seen(kept: Kept, spec: RolloutSpec, view: ClusterView): Observation {
    const { state, told } = kept
    const { byVersion, total } = slotsOf(view, state.groups)
    const weight = told?.canary === state.canary ? told.weight : null
    const isSettled = weight !== null && isCarriedOut(view, { ...state, weight })
    return {
      serving: view.serving ?? state.stable,
      workers: ableWorkers(view),
      slots: byVersion,
      slotsTotal: total,
      settledAt: isSettled ? weight : null,
      crashes: 0,
      lastCrash: null,
      longPauses: 0,
      ...askHooks(this.#webhooks, spec.webhooks, state),
      runs: this.#runs,
    }
  }

  /** How the analyses are that are to be under way. */
  #analyse({ rollouts, templates }: Applied): ReadonlyMap<string, RunOutcome> {
    const all = [...rollouts].flatMap(([name, { spec }]) => {
      const state = this.#kept.get(name)?.state
      return state ? [wantedRuns(state, spec, templates)] : []
    })
    const measured = this.#ground.analyses.look(all.flatMap(({ wanted }) => wanted))
    const runs = new Map<string, RunOutcome>([...measured, ...all.flatMap(({ missing }) => [...missing])])
    for (const [key, { phase, message }] of runs) {
      const kept = this.#kept.get(key.slice(0, key.indexOf('/')))
      if (kept) noteVerdict(kept.verdicts, { analysis: key, phase, message })
    }
    return runs
  }

  #announce(entry: Entry, { webhooks }: RolloutSpec, state: RolloutState): void {
    this.#env.logger.info({ rollout: state.name, type: entry.type, who: entry.who }, entry.text)
    const { name, phase, canary } = state
    const { type, text, who, wanted, had } = entry
    this.#ground.events.publish('rollout', { name, phase, canary, reason: type, message: text, who, wanted, had })
    tellHooks(this.#webhooks, webhooks, state, entry)
  }
}

function isEmpty(patch: Patch): boolean {
  return Object.keys(patch).length === 0
}

function writeOf({ kept: { kind, name, revision } }: AppliedRollout, body: string): DocumentWrite {
  return { kind, name, seen: revision, body }
}
