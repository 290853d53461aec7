import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { crashText, described, lateText } from './describe.ts'
import { runKey } from './observation.ts'
import type { Observation } from './observation.ts'
import { refusal } from './refusal.ts'
import type { RolloutSpec } from './spec.ts'
import { isUnderWay } from './state.ts'
import type { Entry, Restart, RolloutState } from './state.ts'
import { abort, begin, enter, hold, nextStep, retain, settle, tell, workersOf } from './turn.ts'
import type { Turn } from './turn.ts'
import { backgroundRun, isLate, isOpen, isPlaced } from './waits.ts'

/** Workers of a canary that end without being asked to before it is aborted. */
export const crashesMax = 3

/** Hand-offs that take longer than they may before a rollout is held. */
export const longPausesMax = 3

/** What comes of an observation. */
export interface Stepped {
  state: RolloutState
  /** What happened, oldest first; it is in the state's entries too. */
  happened: Entry[]
  /** This version is to be made the one that serves. */
  serve: string | null
  /** This worker is to be drained. */
  drain: string | null
}

/** Where a rollout goes from `before`, given what is asked for and what is seen. Pure; `now` is by the rollout's clock. */
export function step(before: RolloutState, spec: RolloutSpec, seen: Observation, now: number): Stepped {
  const turn: Turn = { state: structuredClone(before), spec, seen, now, happened: [] }
  const { state } = turn
  followSpec(turn)
  noteSeen(turn)
  // What was seen is about the canary and the groups of before: with others it says nothing of where slots are.
  if (before.canary === state.canary && isDeepStrictEqual(before.groups, spec.groups)) {
    // Each turn is one transition: what one makes possible, the next may do at once. It makes no more than steps and modes.
    for (let left = spec.steps.length * 2 + 6; left > 0 && advance(turn); left--);
  }
  state.groups = spec.groups
  const drain = restartNext(turn)
  state.history.splice(0, state.history.length - 1 - spec.historyLimit)
  return { state: described(turn), happened: turn.happened, serve: serveNext(turn), drain }
}

/** Who owns everything for good is said in the store too, so that it does not depend on the rollout. */
function serveNext(turn: Turn): string | null {
  const { state, spec, seen } = turn
  if (spec.groups !== 'all') return null
  if (state.mode === 'promoting' && state.hold === null && state.weight === 100 && isPlaced(turn, 100) && isGood(turn))
    return seen.serving === state.canary ? null : state.canary
  const isBack = (state.mode === 'aborted' || state.mode === 'returning') && state.weight === 0 && isPlaced(turn, 0)
  return isBack && seen.serving !== state.stable ? state.stable : null
}

/** Takes up what is applied: another canary, other steps, the way back. */
function followSpec(turn: Turn): void {
  const { state, spec, seen } = turn
  const key = hash('sha256', JSON.stringify(spec.steps), 'base64')
  const hasOtherSteps = key !== state.stepsKey
  state.stepsKey = key
  if (spec.canary === state.canary) {
    if (state.mode === 'invalid') {
      state.mode = 'settled'
    } else if (hasOtherSteps && state.mode === 'stepping') {
      tell(turn, 'RolloutUpdated', 'the steps are others: it begins at the first')
      state.attempt++
      state.step = 0
      enter(turn, 'stepping')
    }
    return
  }
  if (refusal(state, spec.canary) !== null) return
  if (spec.canary !== state.stable) {
    if (state.mode === 'settled' && spec.groups === 'all' && seen.serving === spec.canary) {
      state.stable = spec.canary
      return settle(turn)
    }
    if (spec.stable !== null && spec.stable !== state.stable) {
      if (state.mode === 'settled') state.mode = 'invalid'
      return
    }
    return begin(turn, spec.canary, isRecent(turn))
  }
  if (state.mode === 'returning') return
  // What took over is what is asked for now.
  if (state.mode === 'replaced') return settle(turn)
  Object.assign(state, { abort: null, hold: null, endedAt: null })
  enter(turn, 'returning')
  tell(turn, 'RolloutUpdated', `goes back to ${state.stable}`)
}

/** It served so short a time ago that the steps are passed over (Argo's rollbackWindow). */
function isRecent({ state, spec }: Turn): boolean {
  const now = state.history.at(-1)?.revision ?? state.revision
  const then = state.history.findLast(({ version }) => version === spec.canary)
  return then !== undefined && now - then.revision <= spec.rollbackWindow
}

/** What an observation tells whatever the mode is. */
function noteSeen(turn: Turn): void {
  const { state, spec, seen, now } = turn
  const slots = seen.slots.get(state.canary) ?? 0
  const isMeasured = backgroundRun(turn)?.isMeasured === true
  const isThere = workersOf(state.canary, seen) > 0
  if (slots !== state.canarySlots || isMeasured !== state.isMeasured || isThere !== state.isThere)
    state.progressAt = now
  state.isMeasured = isMeasured
  state.isThere = isThere
  state.canarySlots = slots
  state.hasTraffic ||= slots > 0
  if (isUnderWay(state)) {
    state.crashes += seen.crashes
    state.lastCrash = seen.lastCrash ?? state.lastCrash
    state.longPauses += seen.longPauses
  }
  for (const each of state.retained) {
    if ((seen.slots.get(each.version) ?? 0) > 0) each.drainedAt = null
    else each.drainedAt ??= now
  }
  state.retained = state.retained.filter(({ drainedAt, delayMs }) => drainedAt === null || now - drainedAt < delayMs)
  if (!isUnderWay(state)) return
  if (spec.isPaused && state.hold === null && state.mode !== 'returning') {
    hold(turn, 'RolloutPaused', 'paused in its resource')
  }
}

/** One transition; false when there is none to make. */
function advance(turn: Turn): boolean {
  const { state } = turn
  if (state.mode === 'settled' || state.mode === 'replaced') return followServing(turn)
  if (state.mode === 'aborted' || state.mode === 'returning') return goBack(turn)
  if (state.mode === 'invalid') return false
  if (isBad(turn)) return true
  if (state.hold !== null) return false
  if (state.mode === 'waiting') return wait(turn)
  return state.mode === 'stepping' ? doStep(turn) : promote(turn)
}

/** All workers of the version that served died, and placement let another take over. It keeps everything until a retry. */
function followServing(turn: Turn): boolean {
  const { state, spec, seen } = turn
  if (spec.groups !== 'all') return false
  if (seen.serving === state.stable) {
    if (state.mode === 'replaced' && workersOf(state.stable, seen) > 0) state.weight = 0
    return false
  }
  tell(turn, 'ServingVersionReplaced', `no worker of ${state.stable} lived: ${seen.serving} took over`)
  state.stable = seen.serving
  if (state.canary === seen.serving) settle(turn)
  else enter(turn, 'replaced')
  return true
}

/** What ends or holds a rollout that is under way, wherever it is. True when something does. */
function isBad(turn: Turn): boolean {
  const { state, spec, seen } = turn
  if (state.crashes >= crashesMax) {
    abort(turn, 'CanaryCrashed', crashText(state)!)
    return true
  }
  if (seen.isRollbackWanted) {
    abort(turn, 'RollbackRequested', 'a rollback webhook asked for it')
    return true
  }
  const run = backgroundRun(turn)
  if (run?.phase === 'Failed' || run?.phase === 'Error') {
    abort(turn, 'AnalysisRunFailed', `analysis failed: ${run.message}`)
    return true
  }
  if (state.hold !== null) return false
  if (run?.phase === 'Inconclusive') {
    hold(turn, 'InconclusiveAnalysisRun', `analysis is inconclusive: ${run.message}`)
    return true
  }
  if (state.longPauses >= longPausesMax) {
    hold(turn, 'MaxPauseExceeded', `${state.longPauses} slots stood still for longer than they may`)
    return true
  }
  if (!isLate(turn) || !spec.deadlineAborts) return false
  abort(turn, 'ProgressDeadlineExceeded', lateText(turn))
  return true
}

/** The canary's workers have to be there, and whoever is asked has to agree. */
function wait(turn: Turn): boolean {
  const { state, seen } = turn
  if (workersOf(state.canary, seen) === 0) return false
  if (!state.isFull && (!isOpen(turn, 'confirm-rollout') || !isOpen(turn, 'pre-rollout'))) return false
  enter(turn, state.isFull ? 'promoting' : 'stepping')
  return true
}

function doStep(turn: Turn): boolean {
  const { state, spec, seen, now } = turn
  const current = spec.steps[state.step]
  if (current === undefined) {
    enter(turn, 'promoting')
    return true
  }
  if (current.type === 'setWeight') return setWeight(turn, current.weight)
  if (current.type === 'pause') {
    if (current.durationMs === null || now - state.stepAt < current.durationMs) return false
    nextStep(turn, 'paused for its time')
    return true
  }
  const run = seen.runs.get(runKey(state, 'step'))
  if (run === undefined || run.phase === 'Running') return false
  if (run.phase === 'Successful') nextStep(turn, 'analysis successful')
  else if (run.phase === 'Inconclusive')
    hold(turn, 'InconclusiveAnalysisRun', `analysis is inconclusive: ${run.message}`)
  else abort(turn, 'AnalysisRunFailed', `analysis failed: ${run.message}`)
  return true
}

function setWeight(turn: Turn, weight: number): boolean {
  const { state, seen } = turn
  if (state.weight !== weight) {
    if (weight > state.weight && !isOpen(turn, 'confirm-traffic-increase')) return false
    // Slots go to nobody who is not there.
    if (workersOf(weight > state.weight ? state.canary : state.stable, seen) === 0) return false
    state.weight = weight
    state.gate = null
    return true
  }
  if (!isPlaced(turn, weight) || !isOpen(turn, 'rollout')) return false
  nextStep(turn, `weight ${weight}`)
  return true
}

/** All steps are done: the canary gets everything, and serves. */
function promote(turn: Turn): boolean {
  const { state, spec, seen, now } = turn
  if (!isGood(turn)) return false
  if (!state.isFull && !isOpen(turn, 'confirm-promotion')) return false
  if (state.weight !== 100) {
    if (workersOf(state.canary, seen) === 0) return false
    state.weight = 100
    tell(turn, 'WeightSet', `${state.canary} gets everything`)
    return true
  }
  if (!isPlaced(turn, 100) || (spec.groups === 'all' && seen.serving !== state.canary)) return false
  const { stable: old, canary, revision } = state
  state.stable = canary
  retain(state, old, spec.scaleDownDelayMs)
  state.history.push({ revision, version: canary, at: now })
  tell(turn, 'RolloutCompleted', `${canary} serves`)
  settle(turn)
  return false
}

/** What nobody has seen to be good is not promoted, unless a person says so. */
function isGood(turn: Turn): boolean {
  const { state, spec } = turn
  if (state.isFull || spec.background === null) return true
  if (!state.hasTraffic && state.weight === 0) return true
  const run = backgroundRun(turn)
  return run?.isMeasured === true && (run.phase === 'Running' || run.phase === 'Successful')
}

/** Drains the next worker that is to be replaced, once those before it are; never the last. */
function restartNext(turn: Turn): string | null {
  const { state, seen, now } = turn
  const { restart } = state
  if (restart === null) return null
  const live = seen.workers.get(state.stable) ?? []
  if (restart.current !== null && live.includes(restart.current)) return null
  const next = restart.left.find((id) => live.includes(id)) ?? null
  if (!areEnough(turn, restart, live.length, next === null ? 0 : 2)) return null
  const left = restart.left.filter((id) => id !== next)
  state.restart = next === null ? null : { left, current: next, wanted: Math.min(restart.wanted, live.length), at: now }
  if (next === null) tell(turn, 'RolloutRestarted', `every worker of ${state.stable} was replaced`)
  return next
}

/** As many as there were. Whoever does not come back within the deadline is not waited for, where `least` are there. */
function areEnough({ spec, now }: Turn, { wanted, at = now }: Restart, live: number, least: number): boolean {
  return live >= wanted || (live >= least && now - at >= spec.progressDeadlineMs)
}

/** Slots go back to the stable version, as soon as it has a worker: until then they stay where they are. */
function goBack(turn: Turn): boolean {
  const { state, spec, seen, now } = turn
  if (state.weight > 0) {
    if (workersOf(state.stable, seen) === 0) return false
    state.weight = 0
    return true
  }
  if (state.endedAt !== null || !isPlaced(turn, 0)) return false
  if (spec.groups === 'all' && seen.serving !== state.stable) return false
  state.endedAt = now
  const isAborted = state.mode === 'aborted'
  retain(state, state.canary, isAborted ? spec.abortScaleDownDelayMs : spec.scaleDownDelayMs)
  tell(turn, 'SlotsReturned', `every slot is back at ${state.stable}`)
  if (!isAborted) settle(turn)
  return false
}
