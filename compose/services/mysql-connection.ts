import { readFile } from 'node:fs/promises'
import { createConnection, type Connection } from 'mysql2/promise'

/** Connecting may take this long. */
export const connectDeadlineMs = 5_000

/** Connects to what a `mysql:` URL names, as HOLDFAST_STORE has it; it may name no database. */
export async function connectMysql(url: string): Promise<Connection> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url)
  const ca = searchParams.get('ca')
  return createConnection({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    connectTimeout: connectDeadlineMs,
    ...(searchParams.get('tls') === 'true' && {
      ssl: { verifyIdentity: true, ...(ca !== null && { ca: await readFile(ca, 'utf8') }) },
    }),
  })
}
