/** Faults for a team's own tests: docs/fault-injection.md shows them at work. */

/** Where a fault strikes. */
export type Stage =
  | 'proxy.onFrame'
  | 'proxy.onSend'
  | 'produce'
  | 'worker.afterPoll'
  | 'worker.beforeCommit'
  | 'worker.afterCommit'
  | 'db'

/** The whole text, how it begins, or an RE2 expression that matches all of it. */
export type StringMatch = { exact: string } | { prefix: string } | { regex: string }

/** What a fault is limited to; all that is given must match. */
export interface Match {
  /** Of the channel; '' for a channel without one. */
  namespace?: StringMatch
  /** Slot group of the channel. */
  group?: StringMatch
  /** Of the worker. */
  version?: StringMatch
  /** Who sent the command, or gets the message. */
  user?: StringMatch
}

/** What all faults have. */
export interface FaultOptions {
  stage: Stage
  match?: Match
  /** Of what matches, from 0 to 100; 100 without it. */
  percentage?: number
  /** The same seed strikes the same; 0 without it. */
  seed?: number
  /** When it ends by itself, should nobody clear it; `5m` without it. */
  expiresAfter?: string
  /** Made up without it. */
  name?: string
}

/** A fault that is set. `await using` clears it at the end of its block. */
export interface FaultHandle extends AsyncDisposable {
  readonly name: string
  /** Resolves when no process has it any more; the second time it does nothing. Throws HoldfastFaultError. */
  clear(): Promise<void>
}

/** How the cluster is reached. */
export interface FaultsOptions {
  /** Of the controller; `HOLDFAST_CONTROLLER_URL`, or `http://127.0.0.1:8080`, without it. */
  url?: string
  /** Bearer token; what the controller keeps in `dataDir` without it. */
  token?: string
  /** Data directory of the cluster; `HOLDFAST_DATA_DIR`, or `.holdfast`, without it. */
  dataDir?: string
  /** How long a change may take to reach every process, ms; 10,000 without it. */
  timeoutMs?: number
}

/**
 * Why a fault is not set or cleared: what the API answers (docs/errors.md), and beside that `unreachable` for no answer,
 * `rejected` when a process does not follow it, `not_acknowledged` when one has not said so in time.
 */
export type HoldfastFaultErrorCode =
  | 'faults_off'
  | 'invalid_fault'
  | 'expiry_required'
  | 'too_many_faults'
  | 'unknown_fault'
  | 'unauthorized'
  | 'read_only'
  | 'unreachable'
  | 'rejected'
  | 'not_acknowledged'
  | (string & {})

/** A fault that is not set or cleared. */
export class HoldfastFaultError extends Error {
  readonly code: HoldfastFaultErrorCode
  constructor(code: HoldfastFaultErrorCode, message: string, options?: ErrorOptions)
}

/** Sets faults in a cluster, each until it is cleared. Every method throws HoldfastFaultError. */
export class Faults {
  constructor(options?: FaultsOptions)
  /** What is struck waits so long (`250ms`, `2s`) before it goes on. Resolves when every process follows it. */
  delay(options: FaultOptions & { fixedDelay: string }): Promise<FaultHandle>
  /** What is struck fails: a command with `code`, a connection with `wsCloseCode`, a request as if nobody answered. */
  abort(options: FaultOptions & { code?: number; wsCloseCode?: number }): Promise<FaultHandle>
  /** The process ends as SIGKILL ends it; a worker once for each record. */
  kill(options: FaultOptions): Promise<FaultHandle>
  /** Clears all that are set by themselves, whoever set them. */
  clear(): Promise<void>
}
