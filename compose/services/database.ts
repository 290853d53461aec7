import { migrationGrants } from '../../store/mysql/grants.ts'
import { connectMysql } from './mysql-connection.ts'

export interface DatabaseUser {
  database: string
  user: string
  /** Letters and digits. */
  password: string
}

/**
 * Makes a database and a user who may migrate it and then run all of Holdfast on it, and nothing elsewhere. (In
 * production these are two users, see store/mysql/grants.ts: the second one's rights name tables, which are not there
 * yet.) Data that exists is kept.
 */
export async function makeDatabase(adminUrl: string, { database, user, password }: DatabaseUser): Promise<void> {
  const connection = await connectMysql(adminUrl)
  try {
    await connection.query(`CREATE DATABASE IF NOT EXISTS \`${database}\` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`)
    await connection.query(`CREATE USER IF NOT EXISTS '${user}'@'%' IDENTIFIED BY '${password}'`)
    await connection.query(`ALTER USER '${user}'@'%' IDENTIFIED BY '${password}'`)
    for (const grant of migrationGrants(database, { user, host: '%' })) await connection.query(grant)
    // All that running needs and migrating does not.
    await connection.query(`GRANT DELETE ON \`${database}\`.* TO '${user}'@'%'`)
  } finally {
    await connection.end()
  }
}
