import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'

/** A row by the names of its columns. */
export type Row = Record<string, SQLOutputValue>

/** A SQLite database with its statements prepared once. Synchronous: a call is over when it returns. */
export class Sql {
  readonly database: DatabaseSync
  #statements = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.database = database
  }

  /** Runs a statement and returns how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepared(sql, values).run(...values).changes)
  }

  /** The first row, undefined when there is none. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepared(sql, values).get(...values)
  }

  /** All rows at once. */
  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepared(sql, values).all(...values)
  }

  /** Row by row; no other statement of the same text may run meanwhile. */
  iterate(sql: string, ...values: SQLInputValue[]): Iterable<Row> {
    return this.#prepared(sql, values).iterate(...values)
  }

  /** Runs `work` in a transaction of its own: all of it, or nothing when it throws. */
  transaction<T>(work: () => T): T {
    this.run('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.run('COMMIT')
      return result
    } catch (error) {
      // SQLite has rolled back by itself after some errors, a full disk for example.
      if (this.database.isTransaction) this.run('ROLLBACK')
      throw error
    }
  }

  /** To be called before the database is replaced under it. */
  forgetStatements(): void {
    this.#statements.clear()
  }

  close(): void {
    this.#statements.clear()
    this.database.close()
  }

  #prepared(sql: string, values: (SQLInputValue | undefined)[]): StatementSync {
    // SQLite would take it for null, and a list of holes that a client sent would be as long as it says.
    if (values.includes(undefined)) throw new TypeError('a value for the database is missing')
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/** SQLite's own result code (see sqlite.org/rescode.html), undefined when the error is not SQLite's. */
export function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined
}

// Columns come back typed as anything SQLite can hold; these read one as what its table says it is.

/** A TEXT column. Like all of these, throws a TypeError for anything else. */
export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new TypeError(`expected text in a column, found ${typeof value}`)
  return value
}

/** As text, of a column that may be NULL. */
export function textOrNull(value: SQLOutputValue | undefined): string | null {
  return value === null ? null : text(value)
}

/** An INTEGER column that JavaScript holds exactly. */
export function integer(value: SQLOutputValue | undefined): number {
  if (typeof value !== 'number') throw new TypeError(`expected an integer in a column, found ${typeof value}`)
  return value
}

/** As integer, of a column that may be NULL. */
export function integerOrNull(value: SQLOutputValue | undefined): number | null {
  return value === null ? null : integer(value)
}

/** A BLOB column, not copied. */
export function bytes(value: SQLOutputValue | undefined): Buffer {
  if (!(value instanceof Uint8Array)) throw new TypeError(`expected bytes in a column, found ${typeof value}`)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** As bytes, of a column that may be NULL. */
export function bytesOrNull(value: SQLOutputValue | undefined): Buffer | null {
  return value === null ? null : bytes(value)
}

/** A TEXT column that holds a JSON list of texts. */
export function strings(value: SQLOutputValue | undefined): string[] {
  return JSON.parse(text(value)) as string[]
}
