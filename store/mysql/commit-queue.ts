import { commitBytes } from '../commit-size.ts'
import { StoreError } from '../errors.ts'
import type { Commit, CommitResult } from '../store.ts'
import { commitStatements } from './commit-statements.ts'
import { commitSessionsMax, type Database } from './database.ts'
import { Failure } from './errors.ts'
import type { MysqlEvents } from './events.ts'
import { rowsOf } from './rows.ts'
import { sql } from './sql.ts'

/** Slots whose commits go in one transaction at most. */
export const jointSlotsMax = 32

/** What the commits of one transaction of several slots count for (`commitBytes`). */
export const jointBytesMax = 2_000_000

/** Commits that wait at most: a slot has only one under way. Beyond it a commit ends `unavailable` at once. */
export const commitsWaitingMax = 10_000

/** How long one may wait to be begun. */
export const commitWaitMs = 5_000

interface Waiting {
  commit: Commit
  bytes: number
  since: number
  resolve: (result: CommitResult) => void
  reject: (error: unknown) => void
}

/**
 * Commits that wait while others are under way go together, in one transaction and one round trip: what that costs is
 * nearly the same for many slots as for one. Where anything is wrong with one of them, the transaction is rolled back
 * and each is made alone.
 */
export class CommitQueue {
  readonly #database: Database
  readonly #events: MysqlEvents
  #waiting: Waiting[] = []
  #running = 0
  #isScheduled = false

  constructor(database: Database, events: MysqlEvents) {
    this.#database = database
    this.#events = events
  }

  commit(commit: Commit): Promise<CommitResult> {
    if (this.#waiting.length >= commitsWaitingMax)
      return Promise.reject(new Failure('unavailable', 'too many commits wait for the database'))
    const since = performance.now()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ commit, bytes: commitBytes(commit), since, resolve, reject })
      this.#schedule()
    })
  }

  /** At the end of this turn: the slots whose records came with one answer of the log are ready a few promises apart. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#next()
    })
  }

  #next(): void {
    while (this.#running < commitSessionsMax) {
      const together = this.#take()
      if (together.length === 0) return
      this.#running += 1
      void this.#run(together).finally(() => {
        this.#running -= 1
        this.#next()
      })
    }
  }

  /** The oldest ones that fit into one transaction. */
  #take(): Waiting[] {
    const oldest = performance.now() - commitWaitMs
    const taken: Waiting[] = []
    const left: Waiting[] = []
    const slots = new Set<string>()
    let bytes = 0
    for (const one of this.#waiting) {
      if (one.since < oldest) {
        one.reject(new Failure('unavailable', `a commit was not begun within ${commitWaitMs} ms`))
        continue
      }
      const fits = slots.size < jointSlotsMax && !slots.has(one.commit.slot) && bytes + one.bytes <= jointBytesMax
      if (taken.length > 0 && !fits) {
        left.push(one)
        continue
      }
      taken.push(one)
      slots.add(one.commit.slot)
      bytes += one.bytes
    }
    this.#waiting = left
    return taken
  }

  async #run(together: Waiting[]): Promise<void> {
    if (together.length > 1 && (await this.#jointly(together))) return
    await Promise.all(together.map((one) => this.#alone(one)))
  }

  /** False when the commits must be made one by one. */
  async #jointly(together: Waiting[]): Promise<boolean> {
    try {
      await this.#database.commitOnce(commitStatements(together.map(({ commit }) => commit)))
    } catch (error) {
      const isForAll = error instanceof Failure && (error.kind === 'unavailable' || error.kind === 'read_only')
      if (isForAll) for (const { reject } of together) reject(error)
      else this.#events.joined(together.length, true)
      return isForAll
    }
    this.#events.joined(together.length, false)
    for (const { resolve } of together) resolve('committed')
    return true
  }

  async #alone({ commit, resolve, reject }: Waiting): Promise<void> {
    try {
      await this.#database.commit(commitStatements([commit]))
      resolve('committed')
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'fenced') return reject(error)
      await this.#knownSlot(commit).then(() => resolve('fenced'), reject)
    }
  }

  async #knownSlot({ slot }: Commit): Promise<void> {
    const [rows] = await this.#database.request([sql`SELECT slot FROM lease WHERE slot = ${slot}`])
    if (rowsOf(rows).length === 0) throw new StoreError('unknown_slot', `there is no slot ${slot}`)
  }
}
