import type { StoreEnv } from '../../cluster/env.ts'
import { Mutex } from '../../platform/mutex.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import type { DocumentRevision, DocumentWrite } from '../../store/store.ts'
import { delivery } from '../analysis/delivery.ts'
import type { Measurer, WantedRun } from '../analysis/measurer.ts'
import type { JudgedRoom, RoomVerdict } from '../analysis/room-trial.ts'
import type { Totals } from '../analysis/version-totals.ts'
import type { Events } from '../events/events.ts'
import { Applied } from './applied.ts'
import type { AppliedRollout } from './applied.ts'
import { ableWorkers, isCarriedOut, slotsOf } from './cluster-view.ts'
import type { ClusterView } from './cluster-view.ts'
import { command } from './commands.ts'
import type { Command, Patch } from './commands.ts'
import { Departures } from './departures.ts'
import type { Departed } from './departures.ts'
import { RolloutError } from './errors.ts'
import { gateKey, runKey } from './observation.ts'
import type { Observation, RunView } from './observation.ts'
import { refusal } from './refusal.ts'
import { reportOf } from './report.ts'
import type { RolloutReport, Verdict } from './report.ts'
import { builtInTemplate } from './resource.ts'
import type { RolloutPart } from './resource.ts'
import { RolloutClock } from './rollout-clock.ts'
import type { RolloutShare } from './shares.ts'
import type { AnalysisSpec, RolloutSpec } from './spec.ts'
import { adopted, firstState, isUnderWay } from './state.ts'
import type { Entry, RolloutState } from './state.ts'
import { step } from './step.ts'
import type { Stepped } from './step.ts'
import { Tally } from './tally.ts'
import { viewOf } from './view.ts'
import type { RolloutView } from './view.ts'
import { wantsBackground, wantsStepRun } from './waits.ts'
import { Webhooks } from './webhooks.ts'

/** Kinds of the documents that rollouts keep. */
export const rolloutKinds = { state: 'RolloutState', report: 'RolloutReport' } as const

/** What rollouts need of the controller around them. */
export interface RolloutGround {
  /** Of the lead that is held. */
  term: () => number
  drain: (worker: string) => void
  /** Something was decided that placement should know of. */
  news: () => void
  analyses: Measurer
  /** Why workers of a version would get no slots; null when they would. */
  refusalOfVersion: (version: string) => string | null
  events: Events
}

/** Writes documents, with a note of who asked for it. Throws when it did not. */
export type Keep = (change: {
  what: string
  target: string
  before: unknown
  after: unknown
  writes: DocumentWrite[]
}) => Promise<void>

/** A command that is taken. */
interface Ordered {
  what: string
  /** Of its resource. */
  writes: DocumentWrite[]
  keep: Keep
}

/** A rollout and what is counted of it. */
interface Kept {
  state: RolloutState
  /** Of its document, 0 before the first. */
  revision: number
  tally: Tally
  /** What versions had done when it began. */
  base: ReadonlyMap<string, Totals>
  verdicts: Map<string, Verdict>
  /** Hand-offs since the last look that took longer than they may. */
  longPauses: number
  /** The weight that placement was told last, and of which canary. */
  told: { canary: string; weight: number } | null
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
  #clock: RolloutClock
  #applied: Applied | null = null
  /** A resource was written since they were read. */
  #isStale = true
  #kept = new Map<string, Kept>()
  #view: ClusterView | null = null
  #runs: ReadonlyMap<string, RunView> = new Map()
  /** One look or command at a time: each begins from what the one before has kept. */
  readonly #turns = new Mutex()

  constructor(env: StoreEnv, ground: RolloutGround) {
    this.#env = env
    this.#ground = ground
    this.#webhooks = new Webhooks(env)
    this.#clock = new RolloutClock(env.clock)
  }

  /** Another term begins: all that is known is read anew. */
  forget(): void {
    this.#applied = null
    this.#kept.clear()
    this.#view = null
  }

  /** A resource was written. */
  changed(): void {
    this.#isStale = true
  }

  /** True while time alone may bring one of them on. */
  get isWaiting(): boolean {
    return (
      this.#applied === null || this.#kept.values().some(({ state }) => isUnderWay(state) || state.endedAt === null)
    )
  }

  /** Takes note of what was announced. */
  heard(record: StatusRecord): void {
    if (record.type !== 'acquired') return
    const maxMs = record.kind === 'planned' ? (this.#applied?.maxPauseMs ?? Infinity) : Infinity
    for (const kept of this.#kept.values()) {
      if (kept.state.endedAt !== null) continue
      kept.tally.pause(record.pauseMs)
      if (record.pauseMs > maxMs) kept.longPauses++
    }
  }

  /** Looks at the cluster, and takes every rollout as far as it goes. */
  async look(view: ClusterView): Promise<void> {
    const gone = this.#departures.look(view.workers)
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
    await this.#read()
    if (view.serving === null) return
    this.#runs = this.#analyse()
    for (const [name, { spec }] of this.#applied!.rollouts) {
      const kept = this.#kept.get(name) ?? this.#begin(name, spec, view.serving)
      const seen = this.#seen(kept, view)
      const news = {
        crashes: gone.filter(({ version }) => version === kept.state.canary).length,
        longPauses: kept.longPauses,
      }
      kept.longPauses = 0
      await this.#take(kept, spec, step(kept.state, spec, { ...seen, ...news }, this.#now))
    }
    await this.#forgetDeleted()
    const states = [...this.#kept.values()].map(({ state }) => state)
    this.#webhooks.keep(new Set(states.flatMap((state) => [gateKey(state, state.gate ?? ''), rollbackKey(state)])))
    this.#tell(view)
  }

  /** What placement is to do; what it is told from here on is what the next look expects of it. */
  shares(): RolloutShare[] {
    return [...this.#kept.values()].map((kept) => {
      const { groups, stable, canary, weight } = kept.state
      kept.told = { canary, weight }
      return { groups, stable, canary, canaryWeight: weight }
    })
  }

  /** Versions whose workers are to be there. */
  get versionsWanted(): Set<string> {
    const wanted = new Set<string>()
    for (const { state } of this.#kept.values()) {
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
    return viewOf(kept.state, applied.spec, this.#seen(kept, view), this.#runs)
  }

  /** Rooms that the canary of one handles, or handled last; of all, or of one verdict. Throws RolloutError when there is none. */
  rooms(name: string, verdict?: RoomVerdict): JudgedRoom[] {
    this.#find(name)
    return this.#ground.analyses.rooms(name, verdict)
  }

  /** Why a Rollout cannot be applied now, in words that say what to do; null when it can. */
  refusalOf(name: string, { strategy: { canary } }: RolloutPart): string | null {
    const state = this.#kept.get(name)?.state
    return state && this.#applied ? refusal(state, this.#applied.versionOf(canary.canaryService)) : null
  }

  /** Reports of a rollout, the newest first. */
  async reports(name: string, limit: number): Promise<RolloutReport[]> {
    const kept = await this.#env.store.documentHistory(rolloutKinds.report, name, limit)
    return kept.flatMap(({ body }) => (body === null ? [] : [JSON.parse(body) as RolloutReport]))
  }

  /**
   * Does what `who` says: `keep` writes what comes of it, with a note of it. Throws RolloutError when it has no effect, and
   * what `keep` throws.
   */
  async order(name: string, order: Command, who: string, keep: Keep): Promise<RolloutView> {
    await this.#turns.run(async () => {
      await this.#read()
      const { kept, applied, view } = this.#find(name)
      const seen = this.#seen(kept, view)
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

  async #read(): Promise<void> {
    if (!this.#isStale && this.#applied !== null) return
    this.#isStale = false
    const applied = await Applied.read(this.#env.store).catch((error: unknown) => {
      this.#isStale = true
      throw error
    })
    if (this.#applied === null) {
      this.#clock = new RolloutClock(this.#env.clock)
      for (const { name, revision, body } of await this.#env.store.documents(rolloutKinds.state)) {
        this.#kept.set(name, this.#keep(adopted(JSON.parse(body) as RolloutState, this.#now), revision))
      }
    }
    this.#applied = applied
    for (const [name, why] of applied.broken) this.#env.logger.error({ rollout: name, why }, 'it cannot be understood')
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

  #begin(name: string, spec: RolloutSpec, serving: string): Kept {
    const kept = this.#keep(firstState(name, serving, spec.groups, this.#now), 0)
    this.#kept.set(name, kept)
    return kept
  }

  #keep(state: RolloutState, revision: number): Kept {
    return { state, revision, ...this.#counted(state), longPauses: 0, told: null }
  }

  /** Counting begins. */
  #counted({ stable, canary }: RolloutState): Pick<Kept, 'tally' | 'base' | 'verdicts'> {
    const { totals } = this.#ground.analyses
    const base = new Map([stable, canary].map((version) => [version, totals.of(version)]))
    return { tally: new Tally(this.#now, this.#view?.proxies ?? []), base, verdicts: new Map() }
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
    const { name } = state
    const writes: DocumentWrite[] = [
      { kind: rolloutKinds.state, name, seen: kept.revision, body: JSON.stringify(state) },
      ...(by?.writes ?? []),
    ]
    const hasEnded = before.endedAt === null && state.endedAt !== null
    if (hasEnded) writes.push(await this.#reportWrite(kept, state))
    try {
      await (by
        ? by.keep({ what: by.what, target: `Rollout/${name}`, before: brief(before), after: brief(state), writes })
        : this.#keepOwn(name, writes))
      // One whose name was there before goes on from what that had.
      kept.revision = kept.revision === 0 ? (await this.#last(rolloutKinds.state, name))!.revision : kept.revision + 1
    } catch (error) {
      // Whether it was written may not be known.
      this.forget()
      throw error
    }
    if (by?.writes.length) this.#isStale = true
    kept.state = state
    if (hasEnded) this.#observeEnd(state)
    const isSame = before.revision === state.revision && before.attempt === state.attempt
    if (!isSame) Object.assign(kept, this.#counted(state))
  }

  /** What nobody asked for. */
  async #keepOwn(name: string, writes: DocumentWrite[]): Promise<void> {
    const result = await this.#env.store.putDocuments({ writes, term: this.#ground.term(), audit: null })
    if (result === 'fenced') throw new RolloutError('not_leading', 'another controller leads')
    if (result === 'conflict') throw new RolloutError('changed_meanwhile', `${name} was changed at the same time`)
  }

  async #reportWrite(kept: Kept, state: RolloutState): Promise<DocumentWrite> {
    const { name } = state
    const { totals } = this.#ground.analyses
    const work = new Map([...kept.base].map(([version, base]) => [version, { now: totals.of(version), base }]))
    const report = reportOf(kept.state, state, kept.tally, work, [...kept.verdicts.values()])
    const last = await this.#last(rolloutKinds.report, name)
    return { kind: rolloutKinds.report, name, seen: seenOf(last), body: JSON.stringify(report) }
  }

  /** The newest revision of a document, which may be its deletion. */
  async #last(kind: string, name: string): Promise<DocumentRevision | undefined> {
    return (await this.#env.store.documentHistory(kind, name, 1))[0]
  }

  /**
   * A rollout whose resource is gone is over: slots are where they are without it. Its reports are read for as long as the
   * store keeps what was deleted.
   */
  async #forgetDeleted(): Promise<void> {
    for (const [name, { revision, state }] of this.#kept) {
      if (this.#applied?.rollouts.has(name) !== false || this.#applied.broken.has(name)) continue
      const writes: DocumentWrite[] = []
      if (revision > 0) writes.push({ kind: rolloutKinds.state, name, seen: revision, body: null })
      const report = seenOf(await this.#last(rolloutKinds.report, name))
      if (report > 0) writes.push({ kind: rolloutKinds.report, name, seen: report, body: null })
      await this.#env.store.putDocuments({ writes, term: this.#ground.term(), audit: null })
      this.#env.logger.info({ rollout: name, phase: state.phase }, 'its resource is deleted, the rollout is over')
      this.#kept.delete(name)
    }
  }

  #seen(kept: Kept, view: ClusterView): Observation {
    const { state, told } = kept
    const { byVersion, total } = slotsOf(view, state.groups)
    const weight = told?.canary === state.canary ? told.weight : null
    const isSettled = weight !== null && isCarriedOut(view, state.groups, state.canary, weight)
    return {
      serving: view.serving ?? state.stable,
      workers: ableWorkers(view),
      slots: byVersion,
      slotsTotal: total,
      settledAt: isSettled ? weight : null,
      crashes: 0,
      longPauses: 0,
      ...this.#ask(kept),
      runs: this.#runs,
    }
  }

  /** Asks the webhooks that are waited for, and those that may ask for a rollback. */
  #ask({ state }: Kept): Pick<Observation, 'gates' | 'isRollbackWanted'> {
    const hooks = this.#applied?.rollouts.get(state.name)?.spec.webhooks ?? []
    const ofType = (type: string) => hooks.filter((hook) => hook.type === type)
    const gates = new Map<string, boolean>()
    if (state.gate !== null) {
      const key = gateKey(state, state.gate)
      const answer = this.#webhooks.ask(key, ofType(state.gate), state)
      if (answer !== null) gates.set(key, answer)
    }
    const rollbacks = isUnderWay(state) ? ofType('rollback') : []
    const isRollbackWanted = rollbacks.length > 0 && this.#webhooks.ask(rollbackKey(state), rollbacks, state) === true
    return { gates, isRollbackWanted }
  }

  /** How the analyses are that are to be under way. */
  #analyse(): ReadonlyMap<string, RunView> {
    const wanted: WantedRun[] = []
    const missing = new Map<string, RunView>()
    for (const [name, { spec }] of this.#applied!.rollouts) {
      const state = this.#kept.get(name)?.state
      if (!state) continue
      const current = spec.steps[state.step]
      const parts: [string, AnalysisSpec][] = []
      if (spec.background && wantsBackground(state, spec)) parts.push([runKey(state, 'background'), spec.background])
      if (wantsStepRun(state, spec) && current?.type === 'analysis') parts.push([runKey(state, 'step'), current])
      for (const [key, part] of parts) {
        const run = this.#runOf(key, part, state)
        if (typeof run === 'string') missing.set(key, { phase: 'Error', message: run, isMeasured: false })
        else wanted.push(run)
      }
    }
    const runs = new Map<string, RunView>([...this.#ground.analyses.look(wanted), ...missing])
    for (const [key, { phase, message }] of runs) {
      const kept = this.#kept.get(key.slice(0, key.indexOf('/')))
      kept?.verdicts.set(key, { analysis: key, phase, message })
    }
    return runs
  }

  /** A text says why it cannot begin. */
  #runOf(
    key: string,
    { templates, args }: AnalysisSpec,
    { name: rollout, stable, canary }: RolloutState,
  ): WantedRun | string {
    const found = templates.map(
      (name) => this.#applied!.templates.get(name) ?? (name === builtInTemplate ? delivery : name),
    )
    const lacking = found.find((each) => typeof each === 'string')
    if (lacking !== undefined) return `there is no AnalysisTemplate ${lacking}`
    const versions = { stable, canary }
    const given = args.map((arg) => [arg.name, 'value' in arg ? arg.value : versions[arg.version]] as const)
    return {
      key,
      rollout,
      templates: found.filter((each) => typeof each !== 'string'),
      args: { ...versions, ...Object.fromEntries(given) },
      stable,
      canary,
    }
  }

  #announce(entry: Entry, { webhooks }: RolloutSpec, state: RolloutState): void {
    this.#env.logger.info({ rollout: state.name, type: entry.type, who: entry.who }, entry.text)
    const { name, phase, canary } = state
    const { type, text, who, wanted, had } = entry
    this.#ground.events.publish('rollout', { name, phase, canary, reason: type, message: text, who, wanted, had })
    const isEnd = entry.type === 'RolloutCompleted' || entry.type === 'SlotsReturned'
    const types = isEnd ? ['event', 'post-rollout'] : ['event']
    this.#webhooks.tell(
      webhooks.filter(({ type }) => types.includes(type)),
      state,
      entry,
    )
  }

  #observeEnd({ mode, startedAt, endedAt, pausedMs }: RolloutState): void {
    const { metrics } = this.#env
    const status = mode === 'aborted' ? 'aborted' : 'completed'
    const tookMs = endedAt! - startedAt
    metrics.rolloutDuration.observe({ status }, tookMs / 1_000)
    metrics.rolloutProgression.observe({ status }, Math.max(0, tookMs - pausedMs) / 1_000)
    metrics.rolloutManualPause.observe({ status }, pausedMs / 1_000)
  }

  #tell(view: ClusterView): void {
    const { metrics } = this.#env
    metrics.rolloutInfo.reset()
    metrics.rolloutWeight.reset()
    for (const kept of this.#kept.values()) {
      const { state, tally } = kept
      const { name, phase, stable, canary, weight } = state
      if (state.endedAt === null) tally.look(view.proxies)
      metrics.rolloutInfo.set({ name, phase, strategy: 'canary', step: String(state.step) }, 1)
      metrics.rolloutStep.set({ name }, state.step)
      const { byVersion, total } = slotsOf(view, state.groups)
      for (const [version, desired] of [[stable, 100 - weight] as const, [canary, weight] as const]) {
        const actual = total === 0 ? 0 : (100 * (byVersion.get(version) ?? 0)) / total
        metrics.rolloutWeight.set({ name, version, kind: 'desired' }, desired)
        metrics.rolloutWeight.set({ name, version, kind: 'actual' }, actual)
      }
    }
  }
}

function isEmpty(patch: Patch): boolean {
  return Object.keys(patch).length === 0
}

function writeOf({ document }: AppliedRollout, body: string): DocumentWrite {
  return { kind: document.kind, name: document.name, seen: document.revision, body }
}

/** What a write has to have seen of a document whose newest revision is this. */
function seenOf(last: DocumentRevision | undefined): number {
  return last === undefined || last.body === null ? 0 : last.revision
}

/** One question for the whole attempt. */
function rollbackKey(state: RolloutState): string {
  return gateKey({ ...state, step: 0 }, 'rollback')
}

/** For the audit log. */
function brief({ phase, reason, stable, canary, weight, step: at }: RolloutState): unknown {
  return { phase, reason, stable, canary, weight, step: at }
}
