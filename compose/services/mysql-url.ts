import { randomBytes } from 'node:crypto'

/** A password of letters and digits: it needs no quotes in a shell, a URL or SQL. */
export function newPassword(): string {
  return randomBytes(16).toString('hex')
}

export interface MysqlAddress {
  user: string
  password: string
  port: number
  database?: string
}

/** The URL of a server on 127.0.0.1. */
export function mysqlUrl({ user, password, port, database = '' }: MysqlAddress): string {
  return `mysql://${user}:${password}@127.0.0.1:${port}/${database}`
}
