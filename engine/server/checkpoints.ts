import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { integer, type Sql } from '../sql.ts'
import type { CheckpointAnswer, CheckpointOrder, CheckpointThreadData } from './checkpoint-thread.ts'
import type { Sync } from './database.ts'

/** Commits between two looks at the write-ahead log. */
const lookCommits = 8

/** Pages of the write-ahead log, of 1 KB. */
export const checkpointPages = {
  /** So many that are not in the file yet are worked into it, while writing goes on. */
  pass: 4_000,
  /**
   * A log so long is to begin anew, for which writing waits until all of it is in the file and the disk has it: some 20 ms.
   * With this length that meets far less than one command in a hundred.
   */
  restart: 64_000,
  /** Writing waits for that only when so few are left to do. */
  tail: 1_000,
  /** A log so long makes writing wait whatever is left: writers are faster than the disk. */
  bound: 192_000,
}

const full = 13

/** The file, and who holds writing back. */
export interface CheckpointsOptions {
  sql: Sql
  path: string
  sync: Sync
  /** Called with true when writing must wait, and with false when it may go on. */
  hold: (isHeld: boolean) => void
  /** The file cannot be used any more. */
  failed: (error: unknown) => void
}

/**
 * When the write-ahead log is worked into the file: by a thread, since whoever does it waits for the disk, while the engine
 * goes on. The log begins anew only once all of it is in the file, and under load there is always something left; so from
 * time to time writing waits for the last bit.
 */
export class Checkpoints {
  readonly #options: CheckpointsOptions
  readonly #thread: Worker
  #commits = 0
  #isPassing = false
  #isHeld = false
  /** Length of the log below which a pass that found no room is not made again. */
  #notBefore = 0

  constructor(options: CheckpointsOptions) {
    this.#options = options
    const workerData: CheckpointThreadData = { path: options.path, sync: options.sync }
    this.#thread = new Worker(new URL('checkpoint-thread.ts', import.meta.url), { workerData })
    this.#thread.unref()
    this.#thread.on('message', (answer: CheckpointAnswer) => this.#passed(answer))
    this.#thread.on('error', options.failed)
  }

  /** To be called after each transaction. */
  committed(): void {
    this.#commits += 1
    if (this.#commits < lookCommits) return
    this.#commits = 0
    const { pages, left } = this.#look()
    if (pages >= checkpointPages.bound) this.#hold(true)
    if (!this.#isPassing && (this.#isHeld || (left >= checkpointPages.pass && pages >= this.#notBefore))) this.#pass()
  }

  /** Ends the thread, after what it does now. */
  async end(): Promise<void> {
    if (this.#thread.threadId === -1) return
    const ended = once(this.#thread, 'exit')
    this.#thread.ref()
    this.#thread.postMessage('end' satisfies CheckpointOrder)
    await ended
  }

  /** Pages in the log, and those of them that are not in the file yet. Asks the log's index in memory, not the disk. */
  #look(): { pages: number; left: number } {
    const row = this.#options.sql.get('PRAGMA wal_checkpoint(NOOP)')
    const pages = integer(row?.['log'])
    return { pages, left: pages - integer(row?.['checkpointed']) }
  }

  #pass(): void {
    this.#isPassing = true
    this.#thread.postMessage('pass' satisfies CheckpointOrder)
  }

  #passed(error: CheckpointAnswer): void {
    this.#isPassing = false
    if (error !== null) return this.#stopped(error)
    const { pages, left } = this.#look()
    this.#notBefore = 0
    const isLong = pages >= checkpointPages.restart
    if (this.#isHeld ? left === 0 : !isLong && left < checkpointPages.pass) return this.#hold(false)
    if (isLong && left <= checkpointPages.tail) this.#hold(true)
    this.#pass()
  }

  #stopped({ message, errcode }: NonNullable<CheckpointAnswer>): void {
    if (errcode !== full) return this.#options.failed(Object.assign(new Error(message), { errcode }))
    // The log grows into the same disk: whoever writes next finds out and says so.
    this.#notBefore = this.#look().pages + checkpointPages.pass
    this.#hold(false)
  }

  #hold(isHeld: boolean): void {
    if (this.#isHeld === isHeld) return
    this.#isHeld = isHeld
    this.#options.hold(isHeld)
  }
}
