import type { Hindrance } from '../../platform/outages.ts'
import { StoreError, type StoreErrorCode } from '../errors.ts'

/** What an error of the server or the connection means for the request that met it, and what the seam says of it. */
export const failureKinds = {
  deadlock: 'unavailable', // rolled back as a whole: again
  lock_wait: 'unavailable', // somebody else held a row for too long: roll back, again
  read_only: 'unavailable', // the server is no longer the one that takes writes
  full: 'unavailable', // it has no room
  unavailable: 'unavailable', // no answer, or none now
  // The server does not let this user in, or to this database. While a cluster runs somebody mends it, and nobody has to
  // start us again; a start says it (migrate.ts).
  denied: 'unavailable',
  fenced: 'damaged', // the check after a fence failed; answered where the fence is
  duplicate: 'duplicate', // a row that must be new exists
  refused: 'refused', // these rows will never fit
  damaged: 'damaged', // the database is not as it should be
} as const satisfies Record<string, StoreErrorCode>

/** A kind of a Failure. */
export type FailureKind = keyof typeof failureKinds

/** Server error numbers, the same for MySQL and MariaDB (dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html). */
const kinds: Record<number, FailureKind> = {
  1213: 'deadlock', // ER_LOCK_DEADLOCK
  1205: 'lock_wait', // ER_LOCK_WAIT_TIMEOUT
  1290: 'read_only', // ER_OPTION_PREVENTS_STATEMENT: --read-only
  1792: 'read_only', // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  1836: 'read_only', // ER_READ_ONLY_MODE
  1021: 'full', // ER_DISK_FULL
  1114: 'full', // ER_RECORD_FILE_FULL: of a table, or the tablespace
  1690: 'fenced', // ER_DATA_OUT_OF_RANGE: see fenceCheck in transaction.ts
  1062: 'duplicate', // ER_DUP_ENTRY
  1118: 'refused', // ER_TOO_BIG_ROWSIZE
  1153: 'refused', // ER_NET_PACKET_TOO_LARGE
  1264: 'refused', // ER_WARN_DATA_OUT_OF_RANGE
  1265: 'refused', // WARN_DATA_TRUNCATED
  1366: 'refused', // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
  1406: 'refused', // ER_DATA_TOO_LONG
  1044: 'denied', // ER_DBACCESS_DENIED_ERROR
  1045: 'denied', // ER_ACCESS_DENIED_ERROR
  1046: 'denied', // ER_NO_DB_ERROR: it was dropped
  1049: 'denied', // ER_BAD_DB_ERROR
  1130: 'denied', // ER_HOST_NOT_PRIVILEGED
  1142: 'denied', // ER_TABLEACCESS_DENIED_ERROR
  1143: 'denied', // ER_COLUMNACCESS_DENIED_ERROR
  1227: 'denied', // ER_SPECIFIC_ACCESS_DENIED_ERROR
  1251: 'denied', // ER_NOT_SUPPORTED_AUTH_MODE
  1698: 'denied', // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  1820: 'denied', // ER_MUST_CHANGE_PASSWORD
  1862: 'denied', // ER_MUST_CHANGE_PASSWORD_LOGIN
  3118: 'denied', // ER_ACCOUNT_HAS_BEEN_LOCKED
  4151: 'denied', // the same in MariaDB
  1048: 'damaged', // ER_BAD_NULL_ERROR: a row names a channel that is not there
  1050: 'damaged', // ER_TABLE_EXISTS_ERROR
  1051: 'damaged', // ER_BAD_TABLE_ERROR
  1054: 'damaged', // ER_BAD_FIELD_ERROR
  1060: 'damaged', // ER_DUP_FIELDNAME
  1061: 'damaged', // ER_DUP_KEYNAME
  1064: 'damaged', // ER_PARSE_ERROR
  1091: 'damaged', // ER_CANT_DROP_FIELD_OR_KEY
  1094: 'damaged', // ER_NO_SUCH_THREAD
  1146: 'damaged', // ER_NO_SUCH_TABLE
}

/** An error of the server or the connection, with what it means. */
export class Failure extends Error {
  readonly kind: FailureKind
  /** The server's number, null when the server said nothing. */
  readonly number: number | null
  /** Set where the server answers and takes nothing for now. */
  readonly hindrance: Hindrance | null

  constructor(kind: FailureKind, message: string, number: number | null = null) {
    super(message)
    this.name = 'Failure'
    this.kind = kind
    this.number = number
    this.hindrance = kind === 'read_only' || kind === 'full' ? kind : null
  }
}

/**
 * What an error of mysql2 means. Numbers that are not listed (too many connections, shut down, killed, ...)
 * pass, or are loud above: `unavailable`. The error itself is not kept: it carries the statement, and so what people
 * wrote, and would end up in a log.
 */
export function failureOf(error: Error): Failure {
  const { errno, code } = error as NodeJS.ErrnoException
  const number = errno !== undefined && errno > 0 ? errno : null
  const said = number === null ? undefined : (fullOf(number, error.message) ?? kinds[number])
  const kind = said ?? (isDenied(error) ? 'denied' : 'unavailable')
  return new Failure(kind, `${code ?? 'error'}: ${error.message}`, number)
}

/** ER_ERROR_ON_WRITE and ER_GET_ERRNO: what the system said, and 28 is ENOSPC everywhere (122, on Linux, EDQUOT). */
function fullOf(number: number, message: string): FailureKind | undefined {
  const isSystem = number === 1026 || number === 1030 || number === 3
  return isSystem && /\b(errno:|error) "?(28|122)\b/i.test(message) ? 'full' : undefined
}

/** What mysql2 says of a server that cannot do what the URL asks for, or whose certificate is not the right one. */
function isDenied(error: Error): boolean {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'HANDSHAKE_SSL_ERROR') return /certificate|self.signed|altname/i.test(message)
  return code === 'HANDSHAKE_NO_SSL_SUPPORT' || code === 'AUTH_SWITCH_PLUGIN_ERROR'
}

/** The seam's error for one of ours; any other stays what it is. */
export function storeErrorOf(error: unknown): unknown {
  return error instanceof Failure
    ? new StoreError(failureKinds[error.kind], error.message, { cause: error, hindrance: error.hindrance })
    : error
}
