import { parseDuration } from '../../config/duration.ts'
import { withArguments } from './arguments.ts'
import { conditionProblem, fulfils } from './condition.ts'
import type { Result } from './condition.ts'
import { AnalysisError } from './errors.ts'
import type { AnalysisTemplateSpec, MetricSpec } from './template.ts'

/** As in Argo Rollouts; what is not Running has ended. */
export type AnalysisPhase = 'Running' | 'Successful' | 'Inconclusive' | 'Error' | 'Failed'

/** How an analysis is, as far as who waits for it is concerned. */
export interface RunOutcome {
  phase: AnalysisPhase
  /** Of the metric that decided, in one line. */
  message: string
  /** Every metric was good at least once, and could be measured when that was last tried. */
  isMeasured: boolean
}

/** What came of one measurement. */
export interface Measurement {
  /** `Error` says that nothing could be measured. */
  phase: Exclude<AnalysisPhase, 'Running'>
  /** What was measured, as text for people; null when nothing was. */
  value: string | null
  /** Why it is so, in one line; '' when nothing is to be said. */
  message: string
}

/** A metric of a run, with what was measured so far. Plain data: it is kept in the store. */
export interface MetricRun {
  spec: MetricSpec
  phase: AnalysisPhase
  /** Measurements that were no errors, and their parts. */
  count: number
  successful: number
  failed: number
  inconclusive: number
  /** Errors, in all and in a row. */
  errors: number
  consecutiveErrors: number
  /** When the last measurement ended, in ms since the run began. */
  lastAt: number | null
  last: Measurement | null
}

/** An analysis under way or over. Plain data; times are ms since it began, so that no clock is part of it. */
export interface AnalysisRun {
  phase: AnalysisPhase
  /** Of the metric that decided, in one line. */
  message: string
  metrics: MetricRun[]
}

/** Argo's: errors in a row that are no error, and the pause after one in a metric without an interval. */
export const errorDefaults = { consecutiveErrorLimit: 4, retryMs: 10_000 }

/** What counts as worse, as Argo has it. */
const worse: readonly AnalysisPhase[] = ['Successful', 'Running', 'Inconclusive', 'Error', 'Failed']

/**
 * A run of all metrics of these templates. Throws AnalysisError when arguments are missing, a condition cannot be read,
 * or a metric's name or provider is not clear.
 */
export function startRun(
  templates: readonly AnalysisTemplateSpec[],
  args: Readonly<Record<string, string>>,
): AnalysisRun {
  const specs = templates.flatMap((template) => withArguments(template, args))
  const names = new Set<string>()
  for (const spec of specs) {
    if (names.has(spec.name)) throw new AnalysisError('bad_metric', `two metrics have the name ${spec.name}`)
    names.add(spec.name)
    check(spec)
  }
  const metrics = specs.map((spec) => ({ ...newMetric, spec }))
  return { phase: metrics.length === 0 ? 'Successful' : 'Running', message: '', metrics }
}

const newMetric = {
  phase: 'Running',
  count: 0,
  successful: 0,
  failed: 0,
  inconclusive: 0,
  errors: 0,
  consecutiveErrors: 0,
  lastAt: null,
  last: null,
} as const satisfies Omit<MetricRun, 'spec'>

function check({ name, provider, successCondition, failureCondition, ...times }: MetricSpec): void {
  const providers = Object.values(provider).filter((each) => each !== undefined)
  if (providers.length !== 1) throw new AnalysisError('bad_metric', `${name} must have one provider`)
  const conditions = [successCondition, failureCondition].filter((each) => each !== undefined)
  if (conditions.length > 0 && !provider.prometheus)
    throw new AnalysisError('bad_condition', `${name} says itself what a failure is, and takes no condition`)
  for (const condition of conditions) {
    const problem = conditionProblem(condition)
    if (problem !== null) throw new AnalysisError('bad_condition', `${name}: ${condition}: ${problem}`)
  }
  for (const time of [times.interval, times.initialDelay]) {
    if (time !== undefined && parseDuration(time) === undefined)
      throw new AnalysisError('bad_metric', `${name}: ${time} is no duration`)
  }
}

/** When a metric is to be measured next, in ms since the run began; null when it is over. */
export function nextAt({ phase, spec, lastAt, consecutiveErrors }: MetricRun): number | null {
  if (phase !== 'Running') return null
  if (lastAt === null) return milliseconds(spec.initialDelay) ?? 0
  const interval = milliseconds(spec.interval)
  if (interval !== undefined) return lastAt + interval
  return consecutiveErrors > 0 ? lastAt + errorDefaults.retryMs : lastAt
}

/** Metrics that are to be measured by now, this many ms after the run began. */
export function dueMetrics(run: AnalysisRun, atMs: number): MetricSpec[] {
  if (run.phase !== 'Running') return []
  return run.metrics.flatMap((metric) => {
    const next = nextAt(metric)
    return next !== null && next <= atMs ? [metric.spec] : []
  })
}

/** The run after a measurement; one of a metric that is over changes nothing. Pure. */
export function noteMeasurement(run: AnalysisRun, name: string, measurement: Measurement, atMs: number): AnalysisRun {
  if (run.phase !== 'Running') return run
  const metrics = run.metrics.map((metric) =>
    metric.spec.name === name && metric.phase === 'Running' ? afterMeasurement(metric, measurement, atMs) : metric,
  )
  return { ...verdict(metrics), metrics }
}

/** What a run that went on in the background comes to when there is nothing left to watch. */
export function endRun(run: AnalysisRun): AnalysisRun {
  return run.phase === 'Running' ? { ...run, phase: 'Successful' } : run
}

/** What a result comes to by a metric's conditions, with Argo's rules. No data and NaN are inconclusive, whatever they say. */
export function assess(spec: MetricSpec, result: Result): Measurement {
  const value = JSON.stringify(result)
  const numbers = Array.isArray(result) ? result : [result]
  if (numbers.length === 0) return { phase: 'Inconclusive', value, message: 'no data' }
  if (numbers.some((each) => Number.isNaN(each))) return { phase: 'Inconclusive', value: 'NaN', message: 'no number' }
  const { successCondition, failureCondition } = spec
  try {
    if (failureCondition !== undefined && fulfils(failureCondition, result))
      return { phase: 'Failed', value, message: failureCondition }
    if (successCondition === undefined) return { phase: 'Successful', value, message: '' }
    if (fulfils(successCondition, result)) return { phase: 'Successful', value, message: '' }
  } catch (error) {
    if (error instanceof AnalysisError) return { phase: 'Error', value, message: error.message }
    throw error
  }
  // Without a condition for failures, what is no success is one.
  const phase = failureCondition === undefined ? 'Failed' : 'Inconclusive'
  return { phase, value, message: `not ${successCondition}` }
}

/** How it is for who waits for it. What was good once and can be measured no more is not known to be good. */
export function outcomeOf({ phase, message, metrics }: AnalysisRun): RunOutcome {
  const isKnown = ({ successful, last }: MetricRun) =>
    successful > 0 && last?.phase !== 'Error' && last?.phase !== 'Inconclusive'
  return { phase, message, isMeasured: phase !== 'Error' && metrics.every(isKnown) }
}

function afterMeasurement(before: MetricRun, measurement: Measurement, atMs: number): MetricRun {
  const { phase } = measurement
  const isError = phase === 'Error'
  const metric: MetricRun = {
    ...before,
    count: before.count + (isError ? 0 : 1),
    successful: before.successful + (phase === 'Successful' ? 1 : 0),
    failed: before.failed + (phase === 'Failed' ? 1 : 0),
    inconclusive: before.inconclusive + (phase === 'Inconclusive' ? 1 : 0),
    errors: before.errors + (isError ? 1 : 0),
    consecutiveErrors: isError ? before.consecutiveErrors + 1 : 0,
    lastAt: atMs,
    last: measurement,
  }
  return { ...metric, phase: phaseOf(metric) }
}

function phaseOf({ spec, count, failed, inconclusive, consecutiveErrors }: MetricRun): AnalysisPhase {
  if (failed > (spec.failureLimit ?? 0)) return 'Failed'
  if (inconclusive > (spec.inconclusiveLimit ?? 0)) return 'Inconclusive'
  if (consecutiveErrors > (spec.consecutiveErrorLimit ?? errorDefaults.consecutiveErrorLimit)) return 'Error'
  const wanted = spec.count ?? (spec.interval === undefined ? 1 : null)
  return wanted !== null && count >= wanted ? 'Successful' : 'Running'
}

/** As soon as one metric has ended badly the run has; it is successful once all of them are. */
function verdict(metrics: MetricRun[]): Pick<AnalysisRun, 'phase' | 'message'> {
  const worst = metrics.reduce((a, b) => (worse.indexOf(b.phase) > worse.indexOf(a.phase) ? b : a))
  if (worst.phase === 'Running' || worst.phase === 'Successful') return { phase: worst.phase, message: '' }
  return { phase: worst.phase, message: `${worst.spec.name}: ${worst.last!.message}` }
}

function milliseconds(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : parseDuration(duration)
}
