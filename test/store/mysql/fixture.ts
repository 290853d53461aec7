import { randomBytes } from 'node:crypto'
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise'
import type { Test } from 'tap'
import type { SlotId } from '../../../protocol/slot.ts'
import type { MysqlEvents } from '../../../store/mysql/events.ts'
import { noEvents } from '../../../store/mysql/events.ts'
import { migrationGrants, runtimeGrants } from '../../../store/mysql/grants.ts'
import { openMysqlStore } from '../../../store/mysql/mysql-store.ts'
import { bytes, integer, text } from '../../../store/mysql/rows.ts'
import { sql } from '../../../store/mysql/sql.ts'
import type { Sql } from '../../../store/mysql/sql.ts'
import type { DeadLetter, Store } from '../../../store/store.ts'
import { testStore } from '../../support/services.ts'

/** A database with up-to-date tables, and users who have exactly the documented rights on it. */
export interface MysqlFixture {
  /** Of a user who may run workers and controllers. */
  url: string
  /** Of a user who may migrate. */
  migrationUrl: string
  /** A connection of a user who may do everything. */
  admin: Connection
  /** One more handle on the store, as the user who may run workers; closes with the test. */
  open(options?: { url?: string; events?: Partial<MysqlEvents> }): Store
  /** Makes a statement as admin and returns its rows. */
  rows(statement: string): Promise<RowDataPacket[]>
  /** All that was set aside in a slot, oldest first. */
  deadLetters(slot: SlotId): Promise<DeadLetter[]>
  /** The server's plan for a statement, a row for each table, in the columns that MySQL and MariaDB share. */
  explain(statement: Sql): Promise<RowDataPacket[]>
}

/** In a database of its own on the shared server. */
export async function mysqlFixture(t: Test): Promise<MysqlFixture> {
  const made = await testStore()
  t.teardown(() => made[Symbol.asyncDispose]())
  return fixtureOn(t, made.adminUrl)
}

/** In the database that the URL of an admin names. */
export async function fixtureOn(t: Test, adminUrl: string): Promise<MysqlFixture> {
  const admin = await createConnection(adminUrl)
  // A test may take the server away from it.
  admin.on('error', () => {})
  const database = decodeURIComponent(new URL(adminUrl).pathname.slice(1))
  const password = randomBytes(8).toString('hex')
  const accounts = ['r', 'm'].map((suffix) => ({ user: `${database}_${suffix}`, host: '%' })) as [Account, Account]
  const [runtime, migration] = accounts
  for (const { user } of accounts) await admin.query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`)
  for (const grant of migrationGrants(database, migration)) await admin.query(grant)
  t.teardown(async () => {
    for (const { user } of accounts) await admin.query(`DROP USER '${user}'@'%'`).catch(() => {})
    admin.destroy()
  })
  const migrationUrl = withLogin(adminUrl, migration.user, password)
  const migrator = openMysqlStore(migrationUrl)
  await migrator.migrate()
  await migrator.close()
  for (const grant of runtimeGrants(database, runtime)) await admin.query(grant)
  const runtimeUrl = withLogin(adminUrl, runtime.user, password)
  const rows = async (statement: string): Promise<RowDataPacket[]> => (await admin.query<RowDataPacket[]>(statement))[0]
  return {
    url: runtimeUrl,
    migrationUrl,
    admin,
    open({ url = runtimeUrl, events } = {}) {
      const store = openMysqlStore(url, { ...noEvents, ...events })
      t.teardown(() => store.close())
      return store
    },
    rows,
    async deadLetters(slot) {
      const statement = sql`SELECT log_offset, reason, log_record FROM dead_letter WHERE slot = ${slot} ORDER BY id`
      return (await rows(statement.text)).map((row) => ({
        offset: integer(row['log_offset']),
        reason: text(row['reason']),
        record: bytes(row['log_record']),
      }))
    },
    explain: ({ text }) => rows(`EXPLAIN FORMAT=TRADITIONAL ${text}`),
  }
}

interface Account {
  user: string
  host: string
}

function withLogin(adminUrl: string, user: string, password: string): string {
  const url = new URL(adminUrl)
  url.username = user
  url.password = password
  return url.href
}
