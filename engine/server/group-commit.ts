import { LogError } from '../../log/errors.ts'
import type { Hindrance } from '../../platform/outages.ts'
import { StoreError } from '../../store/errors.ts'
import { sqliteCode, type Sql } from '../sql.ts'
import type { Disk } from './disk.ts'
import { fileErrorCode } from './file.ts'
import type { Appended, Request, RequestRunner } from './requests.ts'

/** Requests that one transaction takes; what is beyond waits for the next turn. */
export const groupRequestsMax = 1_000

const full = 13

/** The database, who runs a request in it, and who is told. */
export interface GroupCommitOptions {
  sql: Sql
  runner: RequestRunner
  disk: Disk
  /** Called after each transaction. */
  written: () => void
  /** Called after the commit with what it appended, in order. */
  committed: (appended: Appended[]) => void
  /** The file cannot be used any more. */
  failed: (error: unknown) => void
}

/**
 * Runs all requests that arrived in one turn of the event loop in one transaction. Each has a savepoint, so that one
 * that fails is undone alone; none is answered before the commit.
 */
export class GroupCommit {
  #options: GroupCommitOptions
  #waiting: Request[] = []
  #scheduled = false
  #over = false
  #isHeld = false

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  /** Answered after the commit of this turn, or of the next one that has room. */
  add(request: Request): void {
    this.#waiting.push(request)
    this.#schedule()
  }

  /** While held, requests wait. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld
    if (this.#waiting.length > 0) this.#schedule()
  }

  /** Takes no more requests; those that wait are left unanswered. */
  end(): void {
    this.#over = true
    this.#waiting = []
  }

  #schedule(): void {
    if (this.#scheduled || this.#over || this.#isHeld) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#isHeld) return
      this.#commit(this.#waiting.splice(0, groupRequestsMax))
      if (this.#waiting.length > 0) this.#schedule()
    })
  }

  #commit(group: Request[]): void {
    const { sql, runner, disk, written, committed } = this.#options
    const appended: Appended[] = []
    const replies: (() => void)[] = []
    const isRead = group.every((request) => runner.isRead(request))
    try {
      if (isRead) {
        for (const request of group) replies.push(this.#attempt(request, appended))
      } else if (group.length === 1) {
        replies.push(this.#alone(group[0]!, appended))
      } else {
        sql.transaction(() => {
          for (const request of group) replies.push(this.#attempt(request, appended))
        })
      }
    } catch (error) {
      runner.forget()
      const isFull = sqliteCode(error) === full
      for (const { side, refuse } of group) refuse(unavailable(side, error, isFull ? 'full' : null))
      if (isFull) disk.refused()
      else this.#options.failed(error)
      return
    }
    if (!isRead) disk.accepted()
    for (const reply of replies) reply()
    committed(appended)
    if (!isRead) written()
  }

  /** The common case at low rates: a request that has the transaction for itself needs no savepoint. */
  #alone(request: Request, appended: Appended[]): () => void {
    const { sql, runner } = this.#options
    try {
      const answer = sql.transaction(() => runner.run(request, (records) => appended.push(records)))
      return () => request.answer(answer)
    } catch (error) {
      if (fileErrorCode(error) !== undefined) throw error
      runner.forget()
      appended.length = 0
      return () => request.refuse(error)
    }
  }

  /** Returns how to reply. Throws when not this request but the whole group has failed. */
  #attempt(request: Request, appended: Appended[]): () => void {
    const { sql, runner } = this.#options
    const undoable = sql.database.isTransaction && !runner.isRead(request)
    if (undoable) sql.run('SAVEPOINT request')
    try {
      const answer = runner.run(request, (records) => appended.push(records))
      if (undoable) sql.run('RELEASE request')
      return () => request.answer(answer)
    } catch (error) {
      if (fileErrorCode(error) !== undefined) throw error
      if (undoable) {
        sql.database.exec('ROLLBACK TO request; RELEASE request')
        runner.forget()
      }
      return () => request.refuse(error)
    }
  }
}

function unavailable(side: Request['side'], cause: unknown, hindrance: Hindrance | null): Error {
  const message = `the engine could not commit: ${cause instanceof Error ? cause.message : String(cause)}`
  return side === 'log'
    ? new LogError('unavailable', message, { hindrance })
    : new StoreError('unavailable', message, { hindrance })
}
