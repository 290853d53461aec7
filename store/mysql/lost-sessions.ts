import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from './errors.ts'
import { integer, rowsOf, text } from './rows.ts'
import type { Result } from './rows.ts'
import { joined, sql, type Sql } from './sql.ts'

/** How often it is looked whether the server is through with a lost connection. */
export const lookAgainMs = 20

/** How many times it is looked before the server is told to end the connection (KILL). */
export const looksBeforeKill = 5

/** Time in which the server must be through with it. */
export const settleLimitMs = 3_000

/** ER_NO_SUCH_THREAD. */
const gone = 1094

/**
 * Connections that were lost while a commit was under way. The server may not even have begun with it: what it reads
 * from its socket it will still do. Each connection holds a lock of its own name (GET_LOCK) that ends with it, so any
 * other can see whether it is there, and as what, in spite of restarts and proxies.
 */
export class LostSessions {
  readonly #request: (statements: readonly Sql[]) => Promise<Result[]>
  readonly #names = new Set<string>()

  constructor(request: (statements: readonly Sql[]) => Promise<Result[]>) {
    this.#request = request
  }

  /** A connection was lost with a commit under way. */
  add(name: string): void {
    this.#names.add(name)
  }

  /** From here on no commit of a lost connection changes anything. Rejects with a Failure when that is not certain. */
  async settle(): Promise<void> {
    const end = performance.now() + settleLimitMs
    for (let looks = 1; this.#names.size > 0; looks += 1) {
      const left = await this.#left([...this.#names])
      if (left.length === 0) return
      if (performance.now() > end)
        throw new Failure('unavailable', 'the database is not through with a connection that was lost')
      if (looks === looksBeforeKill) await Promise.all(left.map((id) => this.#kill(id)))
      await sleep(lookAgainMs)
    }
  }

  /** Ids of those that are still there; forgets the others. */
  async #left(names: readonly string[]): Promise<number[]> {
    const each = names.map((name) => sql`SELECT ${name} AS name, IS_USED_LOCK(${name}) AS id`)
    const [rows] = await this.#request([joined(each, sql` UNION ALL `)])
    return rowsOf(rows).flatMap((row) => {
      if (row['id'] !== null) return integer(row['id'])
      this.#names.delete(text(row['name']))
      return []
    })
  }

  /** A user may end connections of its own without any right. */
  async #kill(id: number): Promise<void> {
    try {
      await this.#request([sql`KILL CONNECTION ${id}`])
    } catch (error) {
      if (!(error instanceof Failure) || error.number !== gone) throw error
    }
  }
}
