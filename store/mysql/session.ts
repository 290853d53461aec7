import { connect, type Socket } from 'node:net'
import { createConnection, type Connection } from 'mysql2'
import { systemRandom } from '../../platform/random.ts'
import { packetBytesMin } from '../../protocol/records/sizes.ts'
import { Failure, failureOf } from './errors.ts'
import { integer, rowsOf, text } from './rows.ts'
import type { Result } from './rows.ts'
import { sql, type Sql } from './sql.ts'
import { block, fenceCheck } from './transaction.ts'
import type { MysqlTarget } from './url.ts'

/** Time in which a server must take a connection, and in which it must answer what is asked first on it. */
export const connectLimitMs = 3_000

/** Time in which a request must be answered; then its connection is given up and the outcome is unknown. */
export const roundTripLimitMs = 5_000

/** Time that a statement waits for a row that another transaction holds. */
export const lockWaitSeconds = 1

const quitLimitMs = 500

const sqlMode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'

/** Set once for each connection, and read back: the store's promises hang on it. */
const settings = {
  sql_mode: sqlMode,
  autocommit: 'ON',
  innodb_lock_wait_timeout: String(lockWaitSeconds),
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
}

/** One connection to the server. One request at a time; after a failure that leaves it in doubt it is `broken`. */
export class Session {
  /** Of a lock that the server keeps for this session until it is through with it. */
  readonly name = `holdfast ${systemRandom.hex(16)}`
  readonly #connection: Connection
  readonly #socket: Socket
  readonly #closed = Promise.withResolvers<void>()
  #broken = false
  #maxPacketBytes = 0
  #hasBlocks = false

  private constructor(connection: Connection, socket: Socket) {
    this.#connection = connection
    this.#socket = socket
    // Whoever waits for an answer is told by mysql2; an idle connection that ends is only noted.
    connection.on('error', () => this.destroy())
    socket.once('close', () => {
      this.#broken = true
      this.#closed.resolve()
    })
  }

  /** Connects, sets the session up and checks it. Rejects with a Failure. */
  static async open(target: MysqlTarget): Promise<Session> {
    const { host, port, user, password, database, tls } = target
    const socket = connect({ host, port, noDelay: true, keepAlive: true })
    const connection = createConnection({
      host,
      user,
      password,
      database,
      // Own socket: mysql2 can only end one, which does not help when nobody answers at the other side.
      stream: () => socket,
      connectTimeout: connectLimitMs,
      charset: 'utf8mb4_bin',
      multipleStatements: true,
      // Statements come whole: a question mark in one is text, and not looked for.
      queryFormat: (text: string) => text,
      flags: ['-LOCAL_FILES', 'FOUND_ROWS'],
      ...(tls && { ssl: { verifyIdentity: true, minVersion: 'TLSv1.2', ...(tls.ca !== null && { ca: tls.ca }) } }),
    })
    const session = new Session(connection, socket)
    try {
      await session.#setUp()
    } catch (error) {
      session.destroy()
      throw error
    }
    return session
  }

  /** Nothing more can be asked on it. */
  get broken(): boolean {
    return this.#broken
  }

  /** Settles when the connection is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /** Makes statements in one round trip, up to the first that fails. Rejects with a Failure. */
  query(statements: readonly Sql[], limitMs = roundTripLimitMs): Promise<Result[]> {
    const text = statements.map((statement) => statement.text).join(';')
    // The server would only hang up.
    if (this.#maxPacketBytes > 0 && text.length * 3 >= this.#maxPacketBytes) {
      const bytes = Buffer.byteLength(text)
      if (bytes >= this.#maxPacketBytes) {
        const message = `a request of ${bytes} bytes is more than the server's max_allowed_packet (${this.#maxPacketBytes})`
        return Promise.reject(new Failure('refused', message))
      }
    }
    return new Promise((resolve, reject) => {
      const fail = (failure: Failure): void => {
        clearTimeout(timer)
        if (failure.kind === 'unavailable' || failure.kind === 'read_only') this.destroy()
        reject(failure)
      }
      const timer = setTimeout(
        () => fail(new Failure('unavailable', `no answer from the database within ${limitMs} ms`)),
        limitMs,
      )
      this.#connection.query(text, (error, answer: unknown) => {
        if (error) return fail(failureOf(error))
        clearTimeout(timer)
        resolve((statements.length === 1 ? [answer] : answer) as Result[])
      })
    })
  }

  /**
   * As `query`, where nobody needs the answers. MySQL and MariaDB send the answer of each statement by itself, and each is a
   * write there and a wake-up here: that is a third of what a commit costs. MariaDB takes statements as one block with one
   * answer (mariadb.com/kb/en/begin-end); MySQL knows blocks in stored programs only.
   */
  async run(statements: readonly Sql[], limitMs?: number): Promise<void> {
    await this.query(this.#hasBlocks ? [block(statements)] : statements, limitMs)
  }

  /** Says good-bye to the server. Only for a session that nobody uses. */
  async close(): Promise<void> {
    if (!this.#broken) {
      this.#broken = true
      const timer = setTimeout(() => this.#socket.destroy(), quitLimitMs)
      this.#connection.end(() => this.#socket.destroy())
      await this.closed
      clearTimeout(timer)
    }
    await this.closed
  }

  /** Gives the connection up at once: the server rolls back what is open on it. */
  destroy(): void {
    this.#broken = true
    this.#connection.destroy()
    this.#socket.destroy()
  }

  async #setUp(): Promise<void> {
    const results = await this.query(
      [
        sql`SET SESSION sql_mode = ${settings.sql_mode}, SESSION autocommit = 1,
          SESSION innodb_lock_wait_timeout = ${lockWaitSeconds}`,
        sql`SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED`,
        // The isolation level has another name in each server; this lists the one there is.
        sql`SHOW SESSION VARIABLES WHERE Variable_name IN ('sql_mode', 'autocommit', 'innodb_lock_wait_timeout',
          'character_set_client', 'character_set_connection', 'transaction_isolation', 'tx_isolation',
          'max_allowed_packet', 'read_only', 'innodb_read_only', 'version')`,
        sql`SELECT GET_LOCK(${this.name}, 0) AS taken`,
      ],
      connectLimitMs,
    )
    const found = new Map(rowsOf(results[2]).map((row) => [text(row['Variable_name']), text(row['Value'])]))
    if (found.get('read_only') !== 'OFF' || found.get('innodb_read_only') !== 'OFF')
      throw new Failure('read_only', 'the database server is read-only')
    const isolation = found.get('transaction_isolation') ?? found.get('tx_isolation')
    if (isolation !== 'READ-COMMITTED') throw wrongSetting('the isolation level', isolation)
    for (const [name, value] of Object.entries(settings))
      if (normal(found.get(name)) !== normal(value)) throw wrongSetting(name, found.get(name))
    if (integer(rowsOf(results[3])[0]?.['taken']) !== 1)
      throw new Failure('damaged', 'the database server gives no locks')
    this.#maxPacketBytes = Number(found.get('max_allowed_packet'))
    if (this.#maxPacketBytes < packetBytesMin)
      throw wrongSetting('max_allowed_packet', `${this.#maxPacketBytes}, where ${packetBytesMin} is the least`)
    this.#hasBlocks = found.get('version')?.includes('MariaDB') ?? false
    await this.#tryFence()
  }

  /** Everything rests on a fence that ends a request: a server where it does not is not used. */
  async #tryFence(): Promise<void> {
    try {
      await this.run([sql`DO 1`, fenceCheck(1)], connectLimitMs)
    } catch (error) {
      if (error instanceof Failure && error.kind === 'fenced') return
      throw error
    }
    throw new Failure('damaged', 'the database server does not fail where a fence must')
  }
}

function wrongSetting(name: string, value: string | undefined): Failure {
  return new Failure('damaged', `the database server keeps ${name} at ${value ?? 'nothing'}`)
}

/** A list (sql_mode) comes back in the server's order. */
function normal(value: string | undefined): string {
  return (value ?? '').split(',').sort().join()
}
