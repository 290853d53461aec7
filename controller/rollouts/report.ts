import { timeBuckets } from '../../protocol/records/counters.ts'
import { totalsSince } from '../analysis/version-totals.ts'
import type { Totals } from '../analysis/version-totals.ts'
import { entryTextMax } from './state.ts'
import type { Entry, RolloutState } from './state.ts'
import type { Tally } from './tally.ts'

/** Nearest-rank percentiles in ms; null where nothing was counted. */
export interface Times {
  p50: number | null
  p99: number | null
}

/** What an analysis came to. */
export interface Verdict {
  analysis: string
  phase: string
  message: string
}

/** Verdicts of one attempt that are remembered, the last ones, and characters of their messages at most. */
export const verdictsKept = { verdicts: 50, message: entryTextMax }

/** Takes note of how an analysis is, by its key. */
export function noteVerdict(verdicts: Map<string, Verdict>, { analysis, phase, message }: Verdict): void {
  verdicts.set(analysis, { analysis, phase, message: message.slice(0, verdictsKept.message) })
  if (verdicts.size > verdictsKept.verdicts) verdicts.delete(verdicts.keys().next().value!)
}

/** What a version did while a rollout was under way. */
export interface VersionWork {
  commands: number
  /** Commands that the app could not handle, or answered with an internal error. */
  errors: number
  /** What proxies and workers found wrong with what it answered and sent. */
  violations: number
  /** Workers that ended and were not asked to. */
  crashes: number
  /** From beginning with commands to having them committed; upper bounds. */
  batchMs: Times
}

/** What a rollout leaves when it ends. Times of day are ms since 1970. */
export interface RolloutReport {
  name: string
  revision: number
  attempt: number
  outcome: 'promoted' | 'aborted' | 'returned'
  message: string
  from: string
  to: string
  startedAt: number
  endedAt: number
  /** What happened, oldest first, with the canary's weight in percent as it was wanted and had then. */
  entries: Entry[]
  /** From here on all that follows was counted: later than `startedAt` when another controller began to lead. */
  countedSince: number
  slotsMoved: number
  pausesMs: Times & { max: number | null }
  /** Connections that ended, by disconnect code; `client` for those whose clients went. */
  closed: Record<string, number>
  versions: Record<string, VersionWork>
  verdicts: Verdict[]
}

/** The report of a rollout that has just ended in `state`. */
export function reportOf(
  before: RolloutState,
  state: RolloutState,
  tally: Tally,
  work: ReadonlyMap<string, { now: Totals; base: Totals }>,
  verdicts: Verdict[],
): RolloutReport {
  const outcome = state.mode === 'aborted' ? 'aborted' : state.stable === before.canary ? 'promoted' : 'returned'
  const pauses = tally.pausesMs.toSorted((a, b) => a - b)
  const rank = (share: number) => rounded(pauses[Math.ceil(share * pauses.length) - 1])
  return {
    name: state.name,
    revision: state.revision,
    attempt: state.attempt,
    outcome,
    message: state.message,
    from: before.stable,
    to: before.canary,
    startedAt: state.startedAt,
    endedAt: state.endedAt ?? state.startedAt,
    entries: state.entries,
    countedSince: tally.since,
    slotsMoved: tally.moved,
    pausesMs: { p50: rank(0.5), p99: rank(0.99), max: rounded(pauses.at(-1)) },
    closed: Object.fromEntries(tally.closed),
    versions: Object.fromEntries(
      [...work].map(([version, { now, base }]) => [version, workOf(totalsSince(now, base))]),
    ),
    verdicts,
  }
}

function workOf({ commands, errors, violations, crashes, batch }: Totals): VersionWork {
  const batchMs = { p50: quantileMs(batch, 0.5), p99: quantileMs(batch, 0.99) }
  return { commands, errors, violations, crashes, batchMs }
}

/** Upper bound in ms of the time within which this share was done; null when nothing was counted. */
function quantileMs(buckets: readonly number[], share: number): number | null {
  const total = buckets.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  let left = share * total
  const at = buckets.findIndex((count) => (left -= count) <= 0)
  return rounded(timeBuckets[Math.min(at, timeBuckets.length - 1)])
}

function rounded(ms: number | null | undefined): number | null {
  return ms === null || ms === undefined ? null : Math.round(ms * 100) / 100
}
