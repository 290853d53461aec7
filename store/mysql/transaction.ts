import { joined, sql, type Sql } from './sql.ts'

/**
 * Time after which the server ends a connection that is silent inside a transaction. All of a transaction is one
 * request, so this only counts between a statement that failed and the rollback: a process that is frozen there must
 * not keep its locks.
 */
export const idleInTransactionSeconds = 5

const begin = sql`START TRANSACTION`
const boundIdle = sql`SET SESSION wait_timeout = ${idleInTransactionSeconds}`
const commit = sql`COMMIT`
const unboundIdle = sql`SET SESSION wait_timeout = DEFAULT`

/** Gives up what a failed transaction left open. */
export const rollback: readonly Sql[] = [sql`ROLLBACK`, unboundIdle]

/** How many statements stand before the given ones in `transaction`. */
export const transactionPrefix = 2

/** All of the statements or none, in one round trip; their answers start at `transactionPrefix`. */
export function transaction(statements: readonly Sql[]): Sql[] {
  return [begin, boundIdle, ...statements, commit, unboundIdle]
}

/**
 * A statement that fails (1690, "Out-of-Range and Overflow Handling" in MySQL's manual) unless the one before it met
 * exactly `rows` rows. It also bounds idleness, to have one statement less.
 */
export function fenceCheck(rows: number): Sql {
  return sql`SET @fence = 9223372036854775807 + (ROW_COUNT() <> ${rows}),
    SESSION wait_timeout = ${idleInTransactionSeconds}`
}

/** As `transaction`, but what follows happens only when the update meets exactly `rows` rows: a request ends at its first error. */
export function fencedTransaction(update: Sql, rows: number, statements: readonly Sql[]): Sql[] {
  return [begin, update, fenceCheck(rows), ...statements, commit, unboundIdle]
}

/** Statements as one, which ends at the first that fails. Only MariaDB knows it outside of stored programs. */
export function block(statements: readonly Sql[]): Sql {
  return sql`BEGIN NOT ATOMIC ${joined(statements, sql`;`)}; END`
}
