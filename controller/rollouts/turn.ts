import type { Observation } from './observation.ts'
import type { RolloutSpec } from './spec.ts'
import { entriesMax, entryTextMax } from './state.ts'
import type { AbortReason, Entry, HoldReason, Mode, RolloutState } from './state.ts'

/** A state on its way to the next, with what is known and what happened. The state in it is a copy that may change. */
export interface Turn {
  state: RolloutState
  readonly spec: RolloutSpec
  readonly seen: Observation
  readonly now: number
  readonly happened: Entry[]
}

/** Notes that something happened. */
export function tell({ state, seen, now, happened }: Turn, type: string, text: string, who?: string): void {
  const had = percentOf(state.canary, seen)
  const entry: Entry = { at: now, type, text: text.slice(0, entryTextMax), wanted: state.weight, had }
  if (who !== undefined) entry.who = who
  happened.push(entry)
  state.entries.push(entry)
  if (state.entries.length > entriesMax) state.entries.splice(entriesMax / 2, 1)
}

/** Percent of the slots that a version has, in hundredths. */
export function percentOf(version: string, { slots, slotsTotal }: Observation): number {
  return slotsTotal === 0 ? 0 : Math.round(((slots.get(version) ?? 0) * 10_000) / slotsTotal) / 100
}

/** Live workers of a version. */
export function workersOf(version: string, { workers }: Observation): number {
  return workers.get(version)?.length ?? 0
}

/** Goes on to another mode, from its beginning. */
export function enter(turn: Turn, mode: Mode): void {
  const { state, now } = turn
  state.mode = mode
  state.stepAt = now
  state.progressAt = now
  state.gate = null
}

/** Begins with a canary: at the first step, or with all of it at once when `isFull`. */
export function begin(turn: Turn, canary: string, isFull: boolean): void {
  const { state } = turn
  if (state.canary === canary) state.attempt++
  else {
    retain(state, state.canary, turn.spec.abortScaleDownDelayMs)
    state.revision++
    state.attempt = 1
    state.canary = canary
    state.entries = []
  }
  state.retained = state.retained.filter(({ version }) => version !== canary && version !== state.stable)
  enter(turn, 'waiting')
  Object.assign(state, freshAttempt)
  state.startedAt = turn.now
  state.isFull = isFull
  const how = isFull ? ', without steps' : ''
  tell(turn, 'RolloutUpdated', `revision ${state.revision}: ${state.stable} → ${canary}${how}`)
}

/** What an attempt begins with. */
const freshAttempt = {
  endedAt: null,
  hold: null,
  abort: null,
  pausedMs: 0,
  step: 0,
  weight: 0,
  hasTraffic: false,
  backgroundRun: 1,
  crashes: 0,
  lastCrash: null,
  longPauses: 0,
} as const

/** Every slot is to go back to the stable version. Where its weight stays until that lives is for `step` to say. */
export function abort(turn: Turn, reason: AbortReason, message: string, who?: string): void {
  enter(turn, 'aborted')
  turn.state.abort = { reason, message }
  turn.state.hold = null
  tell(turn, 'RolloutAborted', message, who)
}

/** Stands still until a person promotes. */
export function hold(turn: Turn, reason: HoldReason, message: string, who?: string): void {
  turn.state.hold = { reason, at: turn.now, message }
  turn.state.gate = null
  tell(turn, 'RolloutPaused', message, who)
}

/** Goes on after a hold: the time in it counts for nothing. */
export function resume(turn: Turn, who?: string): void {
  const { state, now } = turn
  if (state.hold === null) return
  const heldMs = Math.max(0, now - state.hold.at)
  if (state.hold.reason === 'InconclusiveAnalysisRun') state.backgroundRun++
  state.hold = null
  state.pausedMs += heldMs
  state.longPauses = 0
  state.stepAt = Math.min(now, state.stepAt + heldMs)
  state.progressAt = now
  tell(turn, 'RolloutResumed', 'goes on', who)
}

/** The present step is done. */
export function nextStep(turn: Turn, text: string, who?: string): void {
  const { state, spec, now } = turn
  const current = spec.steps[state.step]
  if (current?.type === 'pause' && current.durationMs === null) state.pausedMs += Math.max(0, now - state.stepAt)
  tell(turn, 'RolloutStepCompleted', `step ${state.step + 1} of ${spec.steps.length}: ${text}`, who)
  state.step++
  state.stepAt = now
  state.progressAt = now
  state.gate = null
}

/** Nothing is under way any more: the stable version has everything. */
export function settle({ state, now }: Turn): void {
  Object.assign(state, { mode: 'settled', canary: state.stable, weight: 100, hold: null, gate: null, abort: null })
  state.isFull = false
  state.endedAt ??= now
}

/** Keeps the workers of a version for a while, unless it is the one that serves. */
export function retain(state: RolloutState, version: string, delayMs: number): void {
  if (version === state.stable) return
  state.retained = state.retained.filter((each) => each.version !== version)
  state.retained.push({ version, drainedAt: null, delayMs })
}
