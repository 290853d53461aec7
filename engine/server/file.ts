import { accessSync, chmodSync, constants, mkdirSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { logMigrations } from '../../log/embedded/tables.ts'
import { NewerTablesError } from '../../store/embedded/errors.ts'
import { applicationId, migrate, storeMigrations } from '../../store/embedded/tables.ts'
import { Sql, integer, sqliteCode } from '../sql.ts'
import { openDatabase, type Sync } from './database.ts'
import { EngineStartError, type FileErrorCode } from './errors.ts'

/** A larger file is opened without looking through all of its pages first. */
export const quickCheckBytesMax = 256 * 1024 * 1024

/**
 * Bytes of a page. A commit writes every page that it touches whole, and touches a little of each of a dozen: small
 * pages write a quarter of what the usual ones do.
 */
const pageBytes = 1_024

/** One database holds both: log and store step through versions together. */
const migrations = storeMigrations.map((tables, version) => `${tables}\n${logMigrations[version] ?? ''}`)

const busy = 5
const codes: ReadonlyMap<number, FileErrorCode> = new Map<number, FileErrorCode>([
  [busy, 'in_use'],
  [3, 'unwritable'], // SQLITE_PERM
  [8, 'unwritable'], // SQLITE_READONLY
  [10, 'unwritable'], // SQLITE_IOERR
  [11, 'damaged'], // SQLITE_CORRUPT
  [13, 'unwritable'], // SQLITE_FULL
  [14, 'unwritable'], // SQLITE_CANTOPEN
  [26, 'damaged'], // SQLITE_NOTADB
])

/** What an error of SQLite means for the file as a whole; undefined when it is a matter of one request. */
export function fileErrorCode(error: unknown): FileErrorCode | undefined {
  return codes.get((sqliteCode(error) ?? 0) & 0xff)
}

/** The one file of a data directory; the write-ahead log lies beside it. */
function databasePath(dataDir: string): string {
  return join(dataDir, 'holdfast.db')
}

/** The one file of a data directory, open. Nobody else can open it before it is closed. */
export interface EngineFile {
  readonly path: string
  readonly sync: Sync
  readonly sql: Sql
  close(): void
}

/** Directories whose file this process has open: SQLite takes all connections of a process for one owner. */
const open = new Set<string>()

/** Opens the file of a data directory, exclusively, and brings its tables up to date. */
export function openFile(dataDir: string, sync: Sync): EngineFile {
  openDirectory(dataDir)
  const path = databasePath(dataDir)
  const place = realpathSync(dataDir)
  if (open.has(place)) throw fileError('in_use', path, null)
  let sql: Sql | undefined
  try {
    sql = new Sql(openDatabase(path, sync))
    prepareFile(sql, path)
  } catch (error) {
    sql?.close()
    throw startError(path, error)
  }
  open.add(place)
  const close = (): void => {
    open.delete(place)
    sql.close()
  }
  return { path, sync, sql, close }
}

/** The error in words for a person; `cause` says what is wrong. */
export function fileError(code: FileErrorCode, path: string, cause: unknown): EngineStartError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const words = {
    damaged: `${path} is damaged (${reason}); move it away or restore a copy of it`,
    in_use: `${path} is in use by another engine`,
    unwritable: `${path} cannot be written (${reason})`,
  }
  return new EngineStartError(code, words[code].replaceAll('\n', ' '), { cause })
}

function openDirectory(dataDir: string): void {
  try {
    // Only what we make is closed to others: the directory may be one that somebody else uses too.
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw fileError('unwritable', dataDir, error)
  }
}

function prepareFile(sql: Sql, path: string): void {
  const { database } = sql
  // Takes effect in a file that is new.
  database.exec(`PRAGMA page_size = ${pageBytes}`)
  const version = integer(sql.get('PRAGMA user_version')?.['user_version'])
  const tables = integer(sql.get('SELECT count(*) AS count FROM sqlite_schema')?.['count'])
  const application = integer(sql.get('PRAGMA application_id')?.['application_id'])
  if (application !== applicationId && (version !== 0 || tables !== 0)) {
    throw fileError('damaged', path, new Error('another program made it'))
  }
  // The write-ahead log is made with the mode of the file.
  chmodSync(path, 0o600)
  database.exec('PRAGMA journal_mode = WAL')
  if (statSync(path).size <= quickCheckBytesMax) {
    const verdict = sql.get('PRAGMA quick_check(1)')?.['quick_check']
    if (verdict !== 'ok') throw fileError('damaged', path, new Error(String(verdict)))
  }
  migrate(sql, migrations)
  sql.transaction(() => {})
}

function startError(path: string, error: unknown): unknown {
  const code = error instanceof NewerTablesError ? 'damaged' : fileErrorCode(error)
  return code === undefined ? error : fileError(code, path, error)
}
