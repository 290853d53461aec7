import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'

/**
 * As Envoy's failure percentage, beside the errors in a row: a worker that handled at least `commandsMin` commands since the
 * last look, and failed at `percentMin` of them or more. Only when the other workers of its version together failed less
 * than half as often, for what all of them fail at is not cured by moving it around. Istio has no field for it.
 */
export const failureRule = { percentMin: 50, commandsMin: 50, timesOthers: 2 }

/** When a worker is taken out, for how long, and how many may be. */
export interface OutlierPolicy {
  /** Commands that failed while none succeeded; 0: no failure counts, nor a share of them. */
  errorsMax: number
  /** Looks in a row at which records had waited for a whole interval without a commit; 0: they do not count. */
  stallsMax: number
  /** Time between two looks. */
  intervalMs: number
  /** Times the number of ejections. */
  ejectionMs: number
  /** Of the workers of a version; one may be ejected all the same. */
  ejectedPercentMax: number
  /** With a smaller share of healthy workers nobody of the version is ejected. */
  healthyPercentMin: number
}

/** What is remembered of a worker. */
export interface WorkerHealth {
  /** Of its counters, at the last look. */
  commands: number
  errors: number
  /** Failed commands since one last succeeded, and looks in a row at which it stalled. */
  errorRun: number
  stallRun: number
  /** What it handled between the last two looks, and failed at of that; nothing in an ejection. */
  done: number
  failed: number
  ejections: number
  /** Monotonic ms; in the past when it is not ejected. */
  ejectedUntil: number
}

/** What is known of all workers that live. */
export type Health = ReadonlyMap<string, WorkerHealth>

/** What came of a look: who is ejected by it, and what is remembered. */
export interface Looked {
  health: Map<string, WorkerHealth>
  ejected: string[]
}

/**
 * Looks at the workers, to be called every interval: those that erred or stalled for too long are ejected, the worst
 * first, and as many of each version as the policy allows; the last that is left of a version never is. Pure.
 */
export function lookForOutliers(
  before: Health,
  workers: readonly WorkerBeat[],
  policy: OutlierPolicy,
  now: number,
): Looked {
  const health = new Map(workers.map((worker) => [worker.id, healthOf(before.get(worker.id), worker, policy, now)]))
  const ejected: string[] = []
  for (const mine of Map.groupBy(workers, ({ version }) => version).values()) {
    const live = mine.filter(({ state }) => state === 'live').map(({ id }) => id)
    const healths = live.map((id) => health.get(id)!)
    const all = { done: sumOf(healths, 'done'), failed: sumOf(healths, 'failed') }
    const bad = live
      .filter((id) => !isEjected(health.get(id), now) && isOutlier(health.get(id)!, all, policy))
      .toSorted((a, b) => badness(health.get(b)!) - badness(health.get(a)!))
    for (const id of bad) {
      const out = live.filter((each) => isEjected(health.get(each), now)).length
      if (!mayEject(live.length, out, policy)) break
      const own = health.get(id)!
      const ejections = own.ejections + 1
      health.set(id, { ...own, ejections, ejectedUntil: now + policy.ejectionMs * ejections, ...noRuns })
      ejected.push(id)
    }
  }
  return { health, ejected }
}

/** Whether one more of `live` workers of a version may be ejected when `out` are. */
export function mayEject(live: number, out: number, policy: OutlierPolicy): boolean {
  if (out + 1 >= live) return false
  const allowed = Math.max(policy.ejectedPercentMax === 0 ? 0 : 1, Math.floor((live * policy.ejectedPercentMax) / 100))
  if (out + 1 > allowed) return false
  return ((live - out - 1) * 100) / live >= policy.healthyPercentMin
}

/** True while a worker gets no slots. */
export function isEjected(health: WorkerHealth | undefined, now: number): boolean {
  return health !== undefined && health.ejectedUntil > now
}

const noRuns = { errorRun: 0, stallRun: 0 }

type Work = Pick<WorkerHealth, 'done' | 'failed'>

/** `all`: of the workers of its version, its own included. */
function isOutlier(health: WorkerHealth, all: Work, { errorsMax, stallsMax }: OutlierPolicy): boolean {
  const { errorRun, stallRun } = health
  if (errorsMax > 0 && (errorRun >= errorsMax || failsTooOften(health, all))) return true
  return stallsMax > 0 && stallRun >= stallsMax
}

function failsTooOften({ done, failed }: Work, all: Work): boolean {
  const { percentMin, commandsMin, timesOthers } = failureRule
  if (done < commandsMin || failed * 100 < done * percentMin) return false
  const others = { done: all.done - done, failed: all.failed - failed }
  return timesOthers * others.failed * done < failed * others.done || others.done === 0
}

/** Which of two is ejected first: the one that failed more. */
function badness({ errorRun, failed }: WorkerHealth): number {
  return Math.max(errorRun, failed)
}

function sumOf(healths: readonly WorkerHealth[], member: keyof Work): number {
  return healths.reduce((sum, health) => sum + health[member], 0)
}

function healthOf(
  before: WorkerHealth | undefined,
  { counters, slots }: WorkerBeat,
  { intervalMs }: OutlierPolicy,
  now: number,
): WorkerHealth {
  const { commands = 0, errors = 0 } = counters ?? {}
  if (before === undefined)
    return { commands, errors, ...noRuns, done: 0, failed: 0, ejections: 0, ejectedUntil: -Infinity }
  const done = commands - before.commands
  const failed = errors - before.errors
  const isStalled = slots.some(({ waitingMs }) => waitingMs > intervalMs)
  // What happened in an ejection was before it, or is over: it counts from its end on.
  const counts = !isEjected(before, now)
  return {
    ...before,
    commands,
    errors,
    done: counts ? done : 0,
    failed: counts ? failed : 0,
    errorRun: !counts || failed < done ? 0 : before.errorRun + failed,
    stallRun: counts && isStalled ? before.stallRun + 1 : 0,
  }
}
