import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { ServiceError } from './errors.ts'
import type { Say } from './programs.ts'

/** As long as another process may download and install, a second one waits for it. */
export const lockDeadlineMs = 20 * 60_000

/** Pause between two looks at the lock. */
export const lockPauseMs = 100

/**
 * Does work that only one process at a time may do. The lock is one of the kernel's, held through SQLite on a file: a
 * process that dies lets go of it, however it dies, and leaves nothing that would have to be recognised as stale.
 */
export async function withLock<T>(path: string, say: Say, work: () => Promise<T>): Promise<T> {
  const database = new DatabaseSync(path)
  const end = performance.now() + lockDeadlineMs
  try {
    for (let told = false; !tryLock(database); told = true) {
      if (!told) say('another services:up or services:down is at work here: waiting for it')
      if (performance.now() >= end) throw new ServiceError(`${path} was locked for ${lockDeadlineMs / 60_000} minutes`)
      await sleep(lockPauseMs)
    }
    return await work()
  } finally {
    database.close()
  }
}

function tryLock(database: DatabaseSync): boolean {
  const busy = 5
  try {
    database.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== busy) throw error
    return false
  }
}
