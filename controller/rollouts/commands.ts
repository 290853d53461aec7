import type { Observation } from './observation.ts'
import type { RolloutSpec } from './spec.ts'
import { isUnderWay } from './state.ts'
import type { Entry, RolloutState } from './state.ts'
import { abort, begin, enter, hold, nextStep, resume, tell } from './turn.ts'
import type { Turn } from './turn.ts'

/** What a person tells a rollout to do. */
export type Command =
  /** Goes on from a pause, or passes over the present step; in full, over all that is left. */
  | { type: 'promote'; full: boolean }
  | { type: 'pause' }
  /** Goes on from a pause. */
  | { type: 'resume' }
  /** Every slot goes back to the stable version. */
  | { type: 'abort' }
  /** The version of another revision is to serve; null: the one before, or the stable one in the middle. */
  | { type: 'undo'; toRevision: number | null }
  /** Replaces the workers of the version that serves, one after the other. */
  | { type: 'restart' }
  /** Begins again after an abort. */
  | { type: 'retry' }

/** What changes in the resource, since that is what is asked for. */
export interface Patch {
  /** A version. */
  canary?: string
  /** A version; only where the resource names one. */
  stable?: string
  paused?: boolean
}

/** What came of a command: another state and another resource, or why it is refused. */
export type Commanded = { state: RolloutState; patch: Patch; happened: Entry[] } | { refused: string }

/** Carries out what `who` says. Pure: the state's phase is that of before, until it is stepped. */
export function command(
  before: RolloutState,
  { spec, seen, now }: { spec: RolloutSpec; seen: Observation; now: number },
  order: Command,
  who: string,
): Commanded {
  const turn: Turn = { state: structuredClone(before), spec, seen, now, happened: [] }
  const outcome = carryOut(turn, order, who)
  return typeof outcome === 'string'
    ? { refused: outcome }
    : { state: turn.state, patch: outcome, happened: turn.happened }
}

/** A text says why not. */
function carryOut(turn: Turn, order: Command, who: string): Patch | string {
  const { state, spec } = turn
  const isOpen = isUnderWay(state) && state.mode !== 'returning'
  switch (order.type) {
    case 'promote':
      if (!isOpen) return `nothing is to be promoted: ${state.message}`
      return order.full ? promoteFull(turn, who) : promote(turn, who)
    case 'resume':
      if (!isOpen || !isPaused(turn)) return `it is not paused: ${state.message}`
      return promote(turn, who)
    case 'pause':
      if (!isOpen) return `nothing is under way: ${state.message}`
      if (state.hold !== null) return `it is paused already: ${state.hold.message}`
      hold(turn, 'RolloutPaused', `paused by ${who}`, who)
      return {}
    case 'abort':
      if (state.restart !== null) {
        state.restart = null
        tell(turn, 'RolloutAborted', 'no more workers are replaced', who)
        return {}
      }
      if (!isOpen) return `nothing is under way; "holdfast rollout undo ${state.name}" goes back to the version before`
      abort(turn, 'RolloutAborted', `aborted by ${who}`, who)
      return {}
    case 'retry':
      if (state.mode !== 'aborted' && state.mode !== 'replaced') return `it was not aborted: ${state.message}`
      begin(turn, state.canary, false)
      tell(turn, 'RolloutRetry', `attempt ${state.attempt}`, who)
      return spec.isPaused ? { paused: false } : {}
    case 'undo':
      return undo(turn, order.toRevision, who)
    case 'restart':
      return restart(turn, who)
  }
}

/** It stands until somebody promotes, or for a step's time. */
function isPaused({ state, spec }: Turn): boolean {
  return state.hold !== null || (state.mode === 'stepping' && spec.steps[state.step]?.type === 'pause')
}

function promoteFull(turn: Turn, who: string): Patch {
  const { state, spec } = turn
  resume(turn, who)
  state.isFull = true
  if (state.mode === 'stepping') {
    state.step = spec.steps.length
    enter(turn, 'promoting')
  }
  state.gate = null
  tell(turn, 'RolloutPromoted', 'in full: steps, gates and analyses are passed over', who)
  return spec.isPaused ? { paused: false } : {}
}

function promote(turn: Turn, who: string): Patch | string {
  const { state, spec } = turn
  const current = state.mode === 'stepping' ? spec.steps[state.step] : undefined
  if (state.hold !== null) {
    const isJudged = state.hold.reason === 'InconclusiveAnalysisRun' && current?.type === 'analysis'
    resume(turn, who)
    if (isJudged) nextStep(turn, 'passed over', who)
    return spec.isPaused ? { paused: false } : {}
  }
  if (current === undefined) {
    return `it goes on by itself: ${state.message}; promote --full passes over gates and analyses`
  }
  nextStep(turn, 'passed over', who)
  return {}
}

function undo(turn: Turn, toRevision: number | null, who: string): Patch | string {
  const { state, spec } = turn
  const found =
    toRevision === null
      ? isUnderWay(state)
        ? { revision: null, version: state.stable }
        : state.history.findLast(({ version }) => version !== state.stable)
      : state.history.findLast(({ revision }) => revision === toRevision)
  if (found === undefined) {
    const known = state.history.map(({ revision, version }) => `${revision} (${version})`).join(', ')
    return toRevision === null ? 'there is no version before' : `there is no revision ${toRevision}, only ${known}`
  }
  if (isUnderWay(state) && found.version !== state.stable) {
    return `${state.stable} → ${state.canary} is under way: "holdfast rollout abort ${state.name}" ends it first`
  }
  if (!isUnderWay(state) && found.version === state.stable && state.mode !== 'aborted') {
    return `${found.version} serves already`
  }
  tell(turn, 'RolloutUndo', `back to ${found.version}`, who)
  const patch: Patch = { canary: found.version, paused: false }
  return spec.stable === null ? patch : { ...patch, stable: state.stable }
}

function restart(turn: Turn, who: string): Patch | string {
  const { state, seen, now } = turn
  if (state.mode !== 'settled') return `workers are restarted when nothing is under way: ${state.message}`
  if (state.restart !== null) return 'they are being restarted already'
  const workers = seen.workers.get(state.stable) ?? []
  if (workers.length < 2) return `${state.stable} has ${workers.length} workers: start another first`
  state.restart = { left: [...workers], current: null, wanted: workers.length, at: now }
  tell(turn, 'RolloutRestart', `${workers.length} workers of ${state.stable}`, who)
  return {}
}
