import { identifier, sql } from './sql.ts'

/** What workers and controllers do, table by table: no message is ever changed or removed. */
const runtimePrivileges = {
  schema_version: 'SELECT',
  slot_group: 'SELECT, INSERT',
  namespace: 'SELECT, INSERT, UPDATE',
  lease: 'SELECT, INSERT, UPDATE',
  producer: 'SELECT, INSERT, UPDATE, DELETE',
  tombstone: 'SELECT, INSERT, UPDATE',
  outbox: 'SELECT, INSERT, UPDATE, DELETE',
  channel: 'SELECT, INSERT, UPDATE, DELETE',
  message: 'SELECT, INSERT',
  message_key: 'SELECT, INSERT',
  interest: 'SELECT, INSERT, UPDATE, DELETE',
  dead_letter: 'INSERT',
  serving: 'SELECT, INSERT, UPDATE',
  leader: 'SELECT, UPDATE',
  proxy_instance: 'SELECT, INSERT, UPDATE',
  document: 'SELECT, INSERT, UPDATE, DELETE',
  document_revision: 'SELECT, INSERT, DELETE',
  document_floor: 'SELECT, INSERT, UPDATE',
  audit: 'SELECT, INSERT, DELETE',
} as const

/** What `holdfast migrate` does, in the whole database. */
const migrationPrivileges = 'SELECT, INSERT, UPDATE, CREATE, ALTER, DROP, INDEX'

/** A user as the server knows it: a name, and from where it may connect (`%` is anywhere). */
export interface Account {
  user: string
  host: string
}

/** Statements that let a user migrate a database. Can be made as soon as database and user are there. */
export function migrationGrants(database: string, account: Account): string[] {
  return [`GRANT ${migrationPrivileges} ON ${identifier(database).text}.* TO ${accountText(account)}`]
}

/** Statements that let a user run workers and controllers on a database, and nothing more. Need its tables. */
export function runtimeGrants(database: string, account: Account): string[] {
  return Object.entries(runtimePrivileges).map(
    ([table, privileges]) =>
      `GRANT ${privileges} ON ${identifier(database).text}.${identifier(table).text} TO ${accountText(account)}`,
  )
}

function accountText({ user, host }: Account): string {
  return sql`${user}@${host}`.text
}
