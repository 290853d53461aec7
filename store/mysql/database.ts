import { Outages } from '../../platform/outages.ts'
import { systemRandom } from '../../platform/random.ts'
import { Failure, type FailureKind } from './errors.ts'
import type { MysqlEvents } from './events.ts'
import { LostSessions } from './lost-sessions.ts'
import type { Result } from './rows.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'
import type { Sql } from './sql.ts'
import { rollback } from './transaction.ts'
import type { MysqlTarget } from './url.ts'

/** Connections of a process for commits: one works while the other's answer is on its way. */
export const commitSessionsMax = 2

/** Connections of a process for everything else. */
export const requestSessionsMax = 6

/** Connections that `connect` makes before they are needed, for commits and for everything else. */
export const readySessions = { commits: commitSessionsMax, requests: 3 }

/** How often a request is made when deadlocks or lock waits undo it. */
export const triesMax = 5

/** Pause before such a request is made again; doubled each time, and shortened by up to half at random. */
const againMs = 10

/** Kinds for which the database is away, whoever has to mend it. */
const awayKinds: ReadonlySet<FailureKind> = new Set(['unavailable', 'read_only', 'denied'])

/** Kinds that may be over for whoever connects anew: to another server, or with rights that were given since. */
const renewedKinds: ReadonlySet<FailureKind> = new Set(['read_only', 'denied'])

/** How a connection makes statements. */
type Way<T> = (session: Session, statements: readonly Sql[]) => Promise<T>

const ask: Way<Result[]> = (session, statements) => session.query(statements)
const run: Way<void> = (session, statements) => session.run(statements)

/** A process's way to the database: every request is one round trip, made again when nothing else is wrong. */
export class Database {
  readonly #events: MysqlEvents
  readonly #outages: Outages
  readonly #commits: Sessions
  readonly #requests: Sessions
  /** The last thing that was to be written found no room. */
  #isFull = false
  readonly #lost = new LostSessions((statements) => this.request(statements))

  constructor(target: MysqlTarget, events: MysqlEvents) {
    this.#events = events
    this.#outages = new Outages(events)
    const changed = (): void => this.#tell()
    this.#commits = new Sessions({ target, max: commitSessionsMax, changed })
    this.#requests = new Sessions({ target, max: requestSessionsMax, changed })
  }

  /** Has connections ready: a slot that is taken over would wait for them. Rejects with a Failure. */
  async connect(): Promise<void> {
    const open = (sessions: Sessions, count: number): Promise<void>[] =>
      Array.from({ length: count }, () => sessions.use(() => Promise.resolve()))
    await Promise.all([...open(this.#commits, readySessions.commits), ...open(this.#requests, readySessions.requests)])
  }

  /** Makes requests on connections of their own; told where they show that the database is away. Rejects with a Failure. */
  async watch<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      this.#outages.answered('database')
      return result
    } catch (error) {
      this.#tellAway(error)
      throw error
    }
  }

  /** Makes statements (alone, or as a transaction) in one round trip. Rejects with a Failure; nothing is open then. */
  request(statements: readonly Sql[]): Promise<Result[]> {
    return this.#untilDone(this.#requests, ask, statements)
  }

  /** As `request`, without answers, on the connections for commits. */
  commit(statements: readonly Sql[]): Promise<void> {
    return this.#untilDone(this.#commits, run, statements)
  }

  /** As `commit`, but not made again. */
  commitOnce(statements: readonly Sql[]): Promise<void> {
    return this.#once(this.#commits, run, statements)
  }

  /** From here on no commit that ended without an answer changes anything any more. Rejects with a Failure. */
  settle(): Promise<void> {
    return this.#lost.settle()
  }

  /** Lets all connections go, to find the server that takes writes now. */
  reconnect(): void {
    this.#commits.renew()
    this.#requests.renew()
  }

  async close(): Promise<void> {
    await Promise.all([this.#commits.close(), this.#requests.close()])
  }

  async #untilDone<T>(sessions: Sessions, way: Way<T>, statements: readonly Sql[]): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once(sessions, way, statements)
      } catch (error) {
        const kind = error instanceof Failure ? error.kind : null
        if ((kind !== 'deadlock' && kind !== 'lock_wait') || tries === triesMax) throw error
        this.#events.retried(kind)
      }
      const pauseMs = againMs * 2 ** (tries - 1) * (1 - systemRandom.float() / 2)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  async #once<T>(sessions: Sessions, way: Way<T>, statements: readonly Sql[]): Promise<T> {
    try {
      const results = await sessions.use((session) => this.#on(session, sessions, () => way(session, statements)))
      this.#outages.answered('database')
      if (this.#isFull && changes(statements)) {
        this.#isFull = false
        this.#outages.answered('room in the database')
      }
      return results
    } catch (error) {
      if (error instanceof Failure && error.kind === 'full') {
        this.#isFull = true
        this.#outages.lost('room in the database', error)
      }
      this.#tellAway(error)
      throw error
    }
  }

  #tellAway(error: unknown): void {
    if (error instanceof Failure && awayKinds.has(error.kind)) this.#outages.lost('database', error)
  }

  async #on<T>(session: Session, sessions: Sessions, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#roundTrip(session, work)
    } finally {
      if (session.broken && sessions === this.#commits) this.#lost.add(session.name)
    }
  }

  async #roundTrip<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const start = performance.now()
    try {
      return await work()
    } catch (error) {
      if (error instanceof Failure && renewedKinds.has(error.kind)) this.reconnect()
      if (!session.broken) await this.#rollBack(session)
      throw error
    } finally {
      this.#events.roundTrip((performance.now() - start) / 1_000)
    }
  }

  /** Where it fails the connection is gone, and the server rolls back by itself. */
  async #rollBack(session: Session): Promise<void> {
    try {
      await session.query(rollback)
    } catch {
      session.destroy()
    }
  }

  #tell(): void {
    const sum = (of: (sessions: Sessions) => number): number => of(this.#commits) + of(this.#requests)
    this.#events.connections(sum(({ open }) => open))
    this.#events.requests(
      sum(({ running }) => running),
      sum(({ waiting }) => waiting),
    )
  }
}

function changes(statements: readonly Sql[]): boolean {
  return statements.some(({ text }) => !/^\s*(SELECT|SHOW)\b/i.test(text))
}
