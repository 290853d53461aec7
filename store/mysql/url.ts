import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

/** Where a database is and who asks for it. */
export interface MysqlTarget {
  host: string
  port: number
  user: string
  password: string
  database: string
  /** Null without TLS; `ca` is the PEM that the server's certificate must lead to, null for the system's authorities. */
  tls: { ca: string | null } | null
}

const optionNames = ['tls', 'ca']

/**
 * Reads `mysql://user:password@host[:port]/database[?tls=true&ca=FILE]`; user, password and database are
 * percent-decoded. Throws one clear error that never repeats the password.
 */
export function parseMysqlUrl(text: string): MysqlTarget {
  const refuse = (what: string): never => {
    throw new Error(`store: ${what}; expected mysql://user:password@host[:port]/database[?tls=true&ca=FILE]`)
  }
  const url = URL.canParse(text) ? new URL(text) : refuse('the URL cannot be read')
  if (url.protocol !== 'mysql:') refuse('the URL does not start with mysql:')
  const decoded = (part: string, what: string): string => {
    try {
      return decodeURIComponent(part)
    } catch {
      return refuse(`the ${what} is not percent-encoded as it should be`)
    }
  }
  const database = decoded(url.pathname.slice(1), 'database')
  if (url.hostname === '') refuse('the URL names no host')
  if (url.username === '') refuse('the URL names no user')
  if (database === '' || database.includes('/')) refuse('the URL names no database')
  for (const name of url.searchParams.keys())
    if (!optionNames.includes(name)) refuse(`there is no option "${name}" (there are ${optionNames.join(' and ')})`)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 3306 : Number(url.port),
    user: decoded(url.username, 'user'),
    password: decoded(url.password, 'password'),
    database,
    tls: tlsOf(url, refuse),
  }
}

function tlsOf({ hostname, searchParams }: URL, refuse: (what: string) => never): MysqlTarget['tls'] {
  const tls = searchParams.get('tls') ?? 'false'
  const ca = searchParams.get('ca')
  if (tls !== 'true' && tls !== 'false') refuse('tls is neither true nor false')
  if (tls === 'false') return ca === null ? null : refuse('ca needs tls=true')
  // mysql2 checks a certificate against a name alone.
  if (isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0) refuse('tls needs the name of a host, not an address')
  if (ca === null) return { ca: null }
  try {
    return { ca: readFileSync(ca, 'utf8') }
  } catch (error) {
    return refuse(`ca cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
}
