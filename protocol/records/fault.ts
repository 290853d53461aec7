import { FormatError } from './errors.ts'
import { checkShape, shapeOf } from './shape.ts'
import type { Members } from './shape.ts'

/**
 * Where a fault strikes. At `proxy.onFrame` one command of a client, at `proxy.onSend` one message to one client, at
 * `worker.afterPoll` one command of a batch; elsewhere one request: an append of commands (`produce`), the commit of a
 * batch before it is made and after it was (`worker.beforeCommit`, `worker.afterCommit`), any request of a slot to the
 * store (`db`). A kill at a worker's stage is drawn for each record.
 */
export const faultStages = [
  'proxy.onFrame',
  'proxy.onSend',
  'produce',
  'worker.afterPoll',
  'worker.beforeCommit',
  'worker.afterCommit',
  'db',
] as const

/** One of `faultStages`. */
export type FaultStage = (typeof faultStages)[number]

/** What a fault does. */
export const faultKinds = ['delay', 'abort', 'kill'] as const

/** One of `faultKinds`. */
export type FaultKind = (typeof faultKinds)[number]

/** As Istio has it: the whole text, how it begins, or an RE2 expression that matches all of it. */
export type StringMatch = { exact: string } | { prefix: string } | { regex: string }

/** What a fault may be limited by; all that are given must match. */
export const faultSubjects = ['namespace', 'group', 'version', 'user'] as const

/** What is limited, each by a text. */
export type FaultMatch = { [subject in (typeof faultSubjects)[number]]?: StringMatch }

/** Faults that may be set at a time. */
export const faultsMax = 64

/** A fault as processes are told of it. Percentages are from 0 to 100, of what matches; times are ms. */
export interface Fault {
  /** Unique among the faults that are set. */
  name: string
  /** Where it strikes. */
  stage: FaultStage
  /** Absent: all that the stage sees. */
  match?: FaultMatch
  /** What is struck waits so long before it goes on. */
  delay?: { percentage: number; fixedDelay: number }
  /** `code` is the error that the command gets, `wsCloseCode` that of the close; one at most, and only where they fit. */
  abort?: { percentage: number; code?: number; wsCloseCode?: number }
  /** The process ends as SIGKILL ends it; a worker once for a record. */
  kill?: { percentage: number }
  /** The same seed strikes the same frames, records and requests. */
  seed: number
  /** What was left of it when it was sent; absent for one that stays until it is cleared. */
  leftMs?: number
}

const faultShape = shapeOf({
  name: 'text',
  stage: 'text',
  match: 'object?',
  delay: 'object?',
  abort: 'object?',
  kill: 'object?',
  seed: 'count',
  leftMs: 'number?',
})
const delayShape = shapeOf({ percentage: 'number', fixedDelay: 'number' })
const abortShape = shapeOf({ percentage: 'number', code: 'count?', wsCloseCode: 'count?' })
const killShape = shapeOf({ percentage: 'number' })
const matchShape = shapeOf({ exact: 'text?', prefix: 'text?', regex: 'text?' })

/** Throws FormatError unless a process can rely on it. A stage that it does not know is no error: it has none such. */
export function checkFault(value: unknown): void {
  checkShape(value, faultShape, 'fault')
  if (value['delay']) checkShape(value['delay'], delayShape, 'delay')
  if (value['abort']) checkShape(value['abort'], abortShape, 'abort')
  if (value['kill']) checkShape(value['kill'], killShape, 'kill')
  for (const [subject, match] of Object.entries((value['match'] ?? {}) as Members)) {
    checkShape(match, matchShape, subject)
    if (Object.keys(match).length !== 1) throw new FormatError(`${subject} is not one of exact, prefix and regex`)
  }
}
