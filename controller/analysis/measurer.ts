import type { Dispatcher } from 'undici'
import type { Env } from '../../cluster/env.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import { lookAt, newTrial } from './counters.ts'
import type { Compared, Trial } from './counters.ts'
import { AnalysisError } from './errors.ts'
import { askPrometheus } from './prometheus.ts'
import { RoomPasts } from './room-pasts.ts'
import { RoomTrial } from './room-trial.ts'
import type { JudgedRoom, RoomVerdict } from './room-trial.ts'
import { assess, dueMetrics, noteMeasurement, outcomeOf, startRun } from './run.ts'
import type { AnalysisRun, Measurement, MetricRun, RunOutcome } from './run.ts'
import type { AnalysisTemplateSpec, CountersProvider, MetricSpec, PrometheusProvider } from './template.ts'
import { VersionTotals } from './version-totals.ts'
import type { Totals } from './version-totals.ts'

/** An analysis that is to be under way: what is measured, and of whom. */
export interface WantedRun {
  /** Tells it from all others, those of the same rollout before it included. */
  key: string
  /** Whose it is. */
  rollout: string
  templates: readonly AnalysisTemplateSpec[]
  /** Values for the arguments of the templates. */
  args: Readonly<Record<string, string>>
  stable: string
  canary: string
}

/** How an analysis is. */
export interface RunView extends RunOutcome {
  metrics: readonly MetricRun[]
}

/** Rooms that are shown of a rollout, and remembered of its last analysis; and rollouts of which they are. */
export const roomsShown = { rooms: 1_000, rollouts: 100 }

/** Ms without a word of a version's workers after which their counters are no data. */
export const silentMs = 10_000

interface Running {
  wanted: WantedRun
  run: AnalysisRun
  /** Monotonic ms. */
  startedAt: number
  /** Of metrics of the counters provider, by their names. */
  trials: Map<string, Trial>
  rooms: Map<string, RoomTrial>
  /** Metrics that are being measured. */
  underWay: Set<string>
}

/**
 * Takes measurements when they are due, and never makes anybody wait for one: what is asked of others is found at a
 * later look. All that it knows is in memory; with another leader an analysis begins anew.
 */
export class Measurer {
  readonly totals = new VersionTotals()
  readonly #env: Env
  readonly #dispatcher: Dispatcher | undefined
  readonly #pasts = new RoomPasts()
  readonly #runs = new Map<string, Running>()
  /** Rooms of the last analysis that is over, by rollout. */
  readonly #judged = new Map<string, JudgedRoom[]>()

  constructor(env: Env, dispatcher?: Dispatcher) {
    this.#env = env
    this.#dispatcher = dispatcher
  }

  /** Takes note of what was announced. */
  heard(record: StatusRecord): void {
    if (record.type === 'left') return this.totals.forget(record.id)
    if (record.type !== 'heartbeat') return
    this.totals.heard(record, this.#env.clock.monotonic())
    if (record.role !== 'worker') return
    const running = [...this.#runs.values()]
    const onTrial = new Set(running.map(({ wanted }) => wanted.canary))
    // What a room was before this is its past, and not with it.
    const pasts = new Map((record.rooms ?? []).map(({ room }) => [room, this.#pasts.of(room)]))
    for (const news of this.#pasts.heard(record, (version) => onTrial.has(version)))
      for (const { rooms } of running) for (const trial of rooms.values()) trial.heard(news, pasts.get(news.room))
  }

  /** A worker ended and was not asked to. */
  crashed(worker: string, version: string): void {
    this.totals.forget(worker)
    this.totals.crashed(version)
  }

  /**
   * Begins what is wanted and not under way, forgets what is wanted no more, and measures what is due. Returns how each
   * is, by its key.
   */
  look(wanted: readonly WantedRun[]): ReadonlyMap<string, RunView> {
    const keys = new Set(wanted.map(({ key }) => key))
    for (const [key, running] of this.#runs) if (!keys.has(key)) this.#end(key, running)
    for (const each of wanted) {
      const running = this.#runs.getOrInsertComputed(each.key, () => this.#begin(each))
      for (const metric of dueMetrics(running.run, this.#age(running)))
        if (!running.underWay.has(metric.name)) this.#measure(running, metric)
    }
    return new Map([...this.#runs].map(([key, { run }]) => [key, viewOf(run)]))
  }

  /**
   * Rooms that the canary of a rollout handles, or handled in its last analysis, with what is thought of them: all, or
   * those of one verdict; harmed ones first, and so many at most.
   */
  rooms(rollout: string, verdict?: RoomVerdict): JudgedRoom[] {
    const running = [...this.#runs.values()].filter(({ wanted }) => wanted.rollout === rollout)
    const judged = running.length > 0 ? running.flatMap(judgedRooms) : (this.#judged.get(rollout) ?? [])
    return judged.filter((room) => verdict === undefined || room.verdict === verdict).slice(0, roomsShown.rooms)
  }

  #end(key: string, running: Running): void {
    const { rollout } = running.wanted
    this.#runs.delete(key)
    this.#judged.delete(rollout)
    this.#judged.set(rollout, judgedRooms(running).slice(0, roomsShown.rooms))
    if (this.#judged.size > roomsShown.rollouts) this.#judged.delete(this.#judged.keys().next().value!)
  }

  #begin(wanted: WantedRun): Running {
    const run = runOf(wanted)
    const now = this.#compared(wanted)
    const [trials, rooms] = [new Map<string, Trial>(), new Map<string, RoomTrial>()]
    for (const { spec } of run.metrics) {
      if (spec.provider.counters) trials.set(spec.name, newTrial(now))
      if (spec.provider.rooms) rooms.set(spec.name, new RoomTrial(wanted, spec.provider.rooms))
    }
    return { wanted, run, startedAt: this.#env.clock.monotonic(), trials, rooms, underWay: new Set() }
  }

  #measure(running: Running, { name, provider, ...rest }: MetricSpec): void {
    if (provider.counters) {
      const measurement = this.#count(running, name, provider.counters)
      if (measurement !== null) this.#note(running, name, measurement)
    }
    if (provider.rooms) this.#note(running, name, running.rooms.get(name)!.measurement)
    if (provider.prometheus) void this.#ask(running, { name, provider, ...rest }, provider.prometheus)
  }

  /** Null while it is too early to say that there is no data. */
  #count({ wanted, trials, startedAt }: Running, name: string, spec: CountersProvider): Measurement | null {
    const { trial, measurement } = lookAt(trials.get(name)!, this.#compared(wanted), spec)
    trials.set(name, trial)
    const heardAt = this.totals.heardAt(wanted.canary)
    const isSilent = this.#env.clock.monotonic() - (heardAt ?? startedAt) > silentMs
    // What it did before it fell silent may be enough to condemn it, but never to go on.
    if ((heardAt !== null && !isSilent) || measurement.phase === 'Failed') return measurement
    // A controller that just leads has yet to hear of everybody.
    if (!isSilent) return null
    return { phase: 'Inconclusive', value: null, message: `no counters of ${wanted.canary}` }
  }

  async #ask(running: Running, metric: MetricSpec, question: PrometheusProvider): Promise<void> {
    running.underWay.add(metric.name)
    const answer = await askPrometheus(this.#env, question, this.#dispatcher)
    running.underWay.delete(metric.name)
    this.#note(
      running,
      metric.name,
      'problem' in answer ? { phase: 'Error', value: null, message: answer.problem } : assess(metric, answer.result),
    )
  }

  #note(running: Running, metric: string, measurement: Measurement): void {
    const { phase } = measurement
    this.#env.metrics.analysisMeasurements.inc({ phase })
    running.run = noteMeasurement(running.run, metric, measurement, this.#age(running))
    const { key } = running.wanted
    if (phase !== 'Successful') this.#env.logger.warn({ run: key, metric, ...measurement }, 'a measurement is not good')
  }

  #compared({ stable, canary }: WantedRun): Compared {
    return { stable: this.totals.of(stable), canary: this.totals.of(canary) } satisfies Record<string, Totals>
  }

  #age({ startedAt }: Running): number {
    return this.#env.clock.monotonic() - startedAt
  }
}

/** Each room once, those that are bad first. */
function judgedRooms({ rooms }: Running): JudgedRoom[] {
  const all = [...rooms.values()].flatMap((trial) => trial.judged)
  const worstFirst = [...all.filter(({ verdict }) => verdict === 'bad'), ...all]
  const seen = new Set<string>()
  return worstFirst.filter(({ room }) => seen.size < seen.add(room).size)
}

/** One that cannot begin is an error from the start. */
function runOf({ templates, args }: WantedRun): AnalysisRun {
  try {
    return startRun(templates, args)
  } catch (error) {
    if (error instanceof AnalysisError) return { phase: 'Error', message: error.message, metrics: [] }
    throw error
  }
}

function viewOf(run: AnalysisRun): RunView {
  return { ...outcomeOf(run), metrics: run.metrics }
}
