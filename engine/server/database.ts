import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

/**
 * How hard a commit is made. `normal` survives the death of any process, the engine's included; `full` survives a
 * loss of power too, at the price of waiting for the disk at each commit.
 */
export type Sync = 'normal' | 'full'

/**
 * Memory for pages of one connection, in KB. More is dearer: where a commit splits a page, SQLite moves pages by way of a
 * number beyond the file, and then looks through all that it holds for such numbers (`pcache1TruncateUnsafe`). With 64 MB that
 * was a fifth of the engine's time; what is not held is in the system's memory.
 */
const cacheKilobytes = 4 * 1_024

/**
 * Opens one of this process's connections to a file. The first that reads holds the file against every other process until
 * the last is closed, and what connections share of the write-ahead log lies in this process's memory
 * (sqlite.org/vfs.html, unix-excl). Nobody works the log into the file unasked: see checkpoints.ts.
 */
export function openDatabase(path: string, sync: Sync): DatabaseSync {
  const url = pathToFileURL(path)
  url.searchParams.set('vfs', 'unix-excl')
  const database = new DatabaseSync(url)
  database.exec(`PRAGMA synchronous = ${sync}; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -${cacheKilobytes}`)
  return database
}
