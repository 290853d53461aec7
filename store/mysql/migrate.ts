import { createHash } from 'node:crypto'
import { Failure } from './errors.ts'
import { migrations as released, type Migration } from './migrations.ts'
import { integer, integerOrNull, rowsOf } from './rows.ts'
import { Session } from './session.ts'
import { Sql, sql } from './sql.ts'
import type { MysqlTarget } from './url.ts'

/** Time that a migration waits for another one to end. */
export const migrationWaitSeconds = 30

/** Time that one statement of a migration may take; a new index on many messages takes long. */
export const migrationStatementLimitMs = 3_600_000

/** Time that it waits for transactions that use a table; whoever comes later waits behind it. */
const tableWaitSeconds = 5

/** ER_TABLE_EXISTS_ERROR, ER_DUP_FIELDNAME, ER_DUP_KEYNAME, ER_CANT_DROP_FIELD_OR_KEY, ER_BAD_TABLE_ERROR: done before. */
const doneBefore = new Set([1050, 1060, 1061, 1091, 1051])

/** ER_NO_SUCH_TABLE, and ER_TABLEACCESS_DENIED_ERROR for who may see nothing else. */
const noTable = new Set([1146, 1142])

const notMigrated = 'run `holdfast migrate` with a user who may change tables'

/**
 * Brings the tables up to what this program knows; does nothing (and needs no right to) when they are. Rejects with a
 * Failure of kind `damaged` for what only a person can mend, which says what to do: the server refuses the user, there
 * is no such database, the tables are behind and this user may not change them, or they are so far ahead that this
 * program must not touch them.
 */
export async function migrate(target: MysqlTarget, migrations: readonly Migration[] = released): Promise<void> {
  const session = await Session.open(target).catch(beforeTables)
  try {
    if (isReady(await versionOf(session), migrations)) return
    await underLock(session, target.database, async () => {
      const { found } = await versionOf(session)
      for (let version = found + 1; version <= migrations.length; version += 1)
        await apply(session, version, migrations[version - 1]!)
    })
    await session.close()
  } catch (error) {
    if (error instanceof Failure && error.kind === 'denied')
      throw new Failure('damaged', `the tables are not up to date: ${notMigrated} (${error.message})`)
    throw error
  } finally {
    await session.close()
  }
}

function beforeTables(error: unknown): never {
  if (error instanceof Failure && error.kind === 'denied') throw new Failure('damaged', error.message, error.number)
  throw error
}

interface Version {
  /** 0 for an empty database. */
  found: number
  compatibleFrom: number
}

/** True when nothing is missing. Throws when the tables are too new. */
function isReady({ found, compatibleFrom }: Version, migrations: readonly Migration[]): boolean {
  const known = migrations.length
  if (compatibleFrom > known) {
    const message = `the tables have version ${found} and need a program that knows ${compatibleFrom}; this one knows ${known}`
    throw new Failure('damaged', message)
  }
  return found >= known
}

async function versionOf(session: Session): Promise<Version> {
  try {
    const [rows] = await session.query([
      sql`SELECT MAX(version) AS version, MAX(compatible_from) AS compatible_from FROM schema_version`,
    ])
    const [row] = rowsOf(rows)
    return {
      found: integerOrNull(row?.['version']) ?? 0,
      compatibleFrom: integerOrNull(row?.['compatible_from']) ?? 0,
    }
  } catch (error) {
    if (error instanceof Failure && noTable.has(error.number ?? 0)) return { found: 0, compatibleFrom: 0 }
    throw error
  }
}

/** One migration at a time on a database, over all processes. The lock ends with the connection. */
async function underLock(session: Session, database: string, work: () => Promise<void>): Promise<void> {
  // Such names are the whole server's, and at most 64 characters long.
  const name = `holdfast migrate ${createHash('sha256').update(database).digest('hex').slice(0, 32)}`
  const [rows] = await session.query(
    [sql`SELECT GET_LOCK(${name}, ${migrationWaitSeconds}) AS taken`],
    (migrationWaitSeconds + 5) * 1_000,
  )
  if (integerOrNull(rowsOf(rows)[0]?.['taken']) !== 1)
    throw new Failure('unavailable', `another migration has not ended within ${migrationWaitSeconds} s`)
  await session.query([sql`SET SESSION lock_wait_timeout = ${tableWaitSeconds}`])
  await work()
  const [released] = await session.query([sql`SELECT RELEASE_LOCK(${name}) AS given`])
  integer(rowsOf(released)[0]?.['given'])
}

async function apply(session: Session, version: number, { compatibleFrom, statements }: Migration): Promise<void> {
  const versionTable = `CREATE TABLE schema_version (
    version INT NOT NULL PRIMARY KEY,
    compatible_from INT NOT NULL
  ) ENGINE=InnoDB`
  for (const statement of version === 1 ? [versionTable, ...statements] : statements) {
    try {
      await session.query([new Sql(statement)], migrationStatementLimitMs)
    } catch (error) {
      if (!(error instanceof Failure) || !doneBefore.has(error.number ?? 0)) throw error
    }
  }
  await session.query([
    sql`INSERT INTO schema_version (version, compatible_from) VALUES (${version}, ${compatibleFrom})`,
  ])
}
