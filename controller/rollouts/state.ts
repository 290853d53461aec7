import type { HookType } from '../resources/rollout.ts'
import type { Groups } from './spec.ts'

/**
 * A rollout is in one mode, which says what is going on, and shows one of Argo's phases, which says how that looks:
 *
 *            another canary is applied                    the canary has workers, the gates are open
 *   settled ────────────────────────────▶ waiting ─────────────────────────────────────────────────▶ stepping
 *      ▲  ▲                                │   │ (no steps, or promoted in full)                          │ last step done
 *      │  │                                │   └───────────────────────────────▶ promoting ◀──────────────┘
 *      │  └────── canary owns all, serves ─│───────────────────────────────────────┘  │
 *      │                                   ▼  abort, failed analysis, deadline, crashes ▼
 *      │                 retry ┌─────── aborted (from waiting, stepping and promoting) ──┐ another canary
 *      │                       └──▶ waiting                                              └──▶ waiting
 *      └── stable owns all ── returning ◀── the stable version is applied (undo in the middle)
 *
 *   replaced: all workers of the version that served died and another took over; retry goes on to waiting
 *   invalid:  what is applied cannot be begun
 *
 *   mode                          phase
 *   settled                       Healthy
 *   waiting, stepping, promoting  Progressing; Paused while a person, a gate or a pause step is waited for;
 *                                 Degraded when its deadline has passed and does not abort
 *   returning                     Progressing; Degraded while the stable version has no worker
 *   aborted, replaced, invalid    Degraded
 */
export const modes = [
  'settled',
  'waiting',
  'stepping',
  'promoting',
  'aborted',
  'returning',
  'replaced',
  'invalid',
] as const

/** What is going on. */
export type Mode = (typeof modes)[number]

/** How a rollout looks, in the words of Argo Rollouts. */
export const phases = ['Healthy', 'Progressing', 'Paused', 'Degraded'] as const

/** As `phases` has them. */
export type Phase = (typeof phases)[number]

/** Why a rollout is held until a person promotes. */
export type HoldReason =
  /** A person paused it, or the resource says so. */
  | 'RolloutPaused'
  | 'InconclusiveAnalysisRun'
  /** Slots stood still for longer than they may, too often. */
  | 'MaxPauseExceeded'

/** Why a rollout was aborted. */
export type AbortReason =
  /** A person did. */
  | 'RolloutAborted'
  | 'AnalysisRunFailed'
  | 'ProgressDeadlineExceeded'
  /** Workers of the canary ended, again and again. */
  | 'CanaryCrashed'
  /** A `rollback` webhook answered that it is to be. */
  | 'RollbackRequested'

/** The reason of a phase: Argo's condition reasons, and ours where it has none. */
export type Reason =
  | HoldReason
  | AbortReason
  | 'RolloutHealthy'
  | 'CanaryPauseStep'
  | 'WaitingForGate'
  | 'WaitingForWorkers'
  | 'RolloutProgressing'
  | 'RolloutReturning'
  | 'StableUnavailable'
  | 'ServingVersionReplaced'
  | 'InvalidSpec'

/** A version that served all that the rollout moves. */
export interface Revision {
  revision: number
  version: string
  /** Ms since 1970. */
  at: number
}

/** A version whose workers are kept for a while, so that there is a way back. */
export interface Retained {
  version: string
  /** Since when none of its workers owns a slot; null while one does. */
  drainedAt: number | null
  delayMs: number
}

/** Workers that are replaced one after the other. */
export interface Restart {
  /** Ids, those to come. */
  left: string[]
  /** Id of the one that is draining. */
  current: string | null
  /** So many there were, and are to be again before the next one goes. */
  wanted: number
  /** When the last one was drained, in ms since 1970; absent in a state of an older controller. */
  at?: number
}

/** Something that happened, for the report. */
export interface Entry {
  /** Ms since 1970. */
  at: number
  /** Argo's event reasons: RolloutStepCompleted and the like. */
  type: string
  text: string
  /** Who did it, when a person did. */
  who?: string
  /** Weights of the canary in percent, as they were then. */
  wanted: number
  had: number
}

/** All that a rollout knows. Times are ms since 1970 by a clock that only goes forward (rollout-clock.ts). */
export interface RolloutState {
  name: string
  /** Rises with each canary. */
  revision: number
  /** Rises with each retry of a revision, and with each change of its steps. */
  attempt: number
  mode: Mode
  phase: Phase
  reason: Reason
  /** One line for a person. */
  message: string
  /** Version that serves, or served before this began. */
  stable: string
  /** Version that is to serve; the stable one when nothing is under way. */
  canary: string
  groups: Groups
  /** Percent of the slots that the canary is to have. */
  weight: number
  /** Ms of this attempt for which a person was waited for. */
  pausedMs: number
  /** Index among the steps; their number when all are done. */
  step: number
  /** When the step began, less the time in which it was held. */
  stepAt: number
  /** When something last came nearer. */
  progressAt: number
  /** When this revision and attempt began. */
  startedAt: number
  /** When it ended, in whichever way; null while it is under way. */
  endedAt: number | null
  /** Held until a person promotes. */
  hold: { reason: HoldReason; at: number; message: string } | null
  /** Webhooks of this type are asked before it goes on. */
  gate: HookType | null
  /** Steps, gates and analyses are passed over. */
  isFull: boolean
  /** Why it was aborted, while it is. */
  abort: { reason: AbortReason; message: string } | null
  /** The canary has had a slot: there is something to analyse. */
  hasTraffic: boolean
  /** The analysis beside the steps was good at least once. */
  isMeasured: boolean
  /** Which of the analyses beside the steps; another begins when a person goes on after an inconclusive one. */
  backgroundRun: number
  /** Slots of the canary, as last seen. */
  canarySlots: number
  /** The canary has a worker that can own slots, as last seen. */
  isThere: boolean
  /** Workers of the canary that ended and were not asked to. */
  crashes: number
  /** How the last of them ended; null before the first. */
  lastCrash: string | null
  /** Hand-offs that took longer than they may, since a person last looked. */
  longPauses: number
  /** A digest of the steps, to notice when they change in the middle. */
  stepsKey: string
  restart: Restart | null
  retained: Retained[]
  /** Newest last. */
  history: Revision[]
  /** What happened in this revision, oldest first. */
  entries: Entry[]
}

/** Entries kept of one revision; of more, those after the first half go first. */
export const entriesMax = 200

/** Characters of an entry's text at most: all of them have to fit into one document. */
export const entryTextMax = 250

/** The state in which a rollout is before anything is applied: `serving` serves, since `now`. */
export function firstState(name: string, serving: string, groups: Groups, now: number): RolloutState {
  return {
    name,
    revision: 1,
    attempt: 1,
    mode: 'settled',
    phase: 'Healthy',
    reason: 'RolloutHealthy',
    message: '',
    stable: serving,
    canary: serving,
    groups,
    weight: 100,
    pausedMs: 0,
    step: 0,
    stepAt: now,
    progressAt: now,
    startedAt: now,
    endedAt: now,
    hold: null,
    gate: null,
    isFull: false,
    abort: null,
    hasTraffic: false,
    isMeasured: false,
    backgroundRun: 1,
    canarySlots: 0,
    isThere: false,
    crashes: 0,
    lastCrash: null,
    longPauses: 0,
    stepsKey: '',
    restart: null,
    retained: [],
    history: [{ revision: 1, version: serving, at: now }],
    entries: [],
  }
}

/** True while a canary is on its way: a third version would have to wait. */
export function isUnderWay({ mode }: RolloutState): boolean {
  return mode === 'waiting' || mode === 'stepping' || mode === 'promoting' || mode === 'returning'
}

/**
 * The state as a new leader takes it up at `now`, by its own clock: nothing in it can lie in that clock's future, so that
 * no time passed counts as less than none.
 */
export function adopted(state: RolloutState, now: number): RolloutState {
  const past = (at: number) => Math.min(at, now)
  return {
    ...state,
    // An older version does not keep it.
    lastCrash: state.lastCrash ?? null,
    stepAt: past(state.stepAt),
    progressAt: past(state.progressAt),
    startedAt: past(state.startedAt),
    hold: state.hold && { ...state.hold, at: past(state.hold.at) },
    restart: state.restart && undrained(state.restart, now),
    retained: state.retained.map((each) => ({ ...each, drainedAt: each.drainedAt && past(each.drainedAt) })),
  }
}

/** The one that was to be drained is to be drained first: whether it was told so is not known. */
function undrained({ left, current, wanted, at }: Restart, now: number): Restart {
  return { left: current === null ? left : [current, ...left], current: null, wanted, at: Math.min(at ?? now, now) }
}
