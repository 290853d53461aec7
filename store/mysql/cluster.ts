import type { InstanceState, Leadership } from '../store.ts'
import { now } from './clock.ts'
import type { Database } from './database.ts'
import { Failure } from './errors.ts'
import { integer, metOf, rowsOf, text } from './rows.ts'
import { sql } from './sql.ts'
import { transaction, transactionPrefix } from './transaction.ts'

const states: readonly string[] = ['live', 'retired', 'gone'] satisfies InstanceState[]

/** What controllers keep: serving version, instances, leadership. */
export class Cluster {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async servingVersion(): Promise<string | null> {
    const [rows] = await this.#database.request([sql`SELECT version FROM serving`])
    const [row] = rowsOf(rows)
    return row ? text(row['version']) : null
  }

  async setServingVersion(seen: string | null, version: string): Promise<boolean> {
    if (seen !== null) {
      const [updated] = await this.#database.request([
        sql`UPDATE serving SET version = ${version} WHERE id = 1 AND version = ${seen}`,
      ])
      return metOf(updated) > 0
    }
    try {
      await this.#database.request([sql`INSERT INTO serving (id, version) VALUES (1, ${version})`])
      return true
    } catch (error) {
      if (error instanceof Failure && error.kind === 'duplicate') return false
      throw error
    }
  }

  async registerInstances(ids: string[]): Promise<void> {
    if (ids.length === 0) return
    // Always in one order: two controllers that register the same ones must not wait for each other.
    const rows = [...new Set(ids)].sort().map((id) => sql`(${id}, 'live')`)
    await this.#database.request([
      sql`INSERT INTO proxy_instance (id, state) VALUES ${rows} ON DUPLICATE KEY UPDATE id = id`,
    ])
  }

  async moveInstance(id: string, from: InstanceState, to: InstanceState): Promise<boolean> {
    const move = sql`UPDATE proxy_instance SET state = ${to} WHERE id = ${id} AND state = ${from}`
    // One that only other rows name counts as live: see instances().
    const register = sql`INSERT INTO proxy_instance (id, state) VALUES (${id}, 'live') ON DUPLICATE KEY UPDATE id = id`
    const answers = await this.#database.request(from === 'live' ? [register, move] : [move])
    return metOf(answers.at(-1)) > 0
  }

  async instances(): Promise<{ id: string; state: InstanceState }[]> {
    const [known, named] = await this.#database.request([
      sql`SELECT id, state FROM proxy_instance WHERE state IN ('live', 'retired') ORDER BY id`,
      // A producer is `instance.generation`; one without a dot belongs to no instance.
      sql`SELECT named.id FROM (
            SELECT DISTINCT instance_id AS id FROM interest
            UNION
            SELECT LEFT(producer, LENGTH(producer) - LENGTH(SUBSTRING_INDEX(producer, '.', -1)) - 1)
              FROM producer WHERE LOCATE('.', producer) > 0
          ) AS named
          LEFT JOIN proxy_instance ON proxy_instance.id = named.id
          WHERE proxy_instance.id IS NULL`,
    ])
    return [
      ...rowsOf(known).map((row) => ({ id: text(row['id']), state: toState(row['state']) })),
      ...rowsOf(named).map((row) => ({ id: text(row['id']), state: 'live' as const })),
    ]
  }

  async lead(candidate: string, ttlMs: number, heard = 0): Promise<Leadership> {
    const answers = await this.#database.request(
      transaction([
        // A statement's time is when it began: one that waits for another candidate's would see what is not yet, and take
        // a leader that has just begun for one whose clock was ahead.
        sql`SELECT id FROM leader WHERE id = 1 FOR UPDATE`,
        // From left to right: a term goes on while it is held. One that lasts longer than it can was written before the
        // clock went back.
        sql`UPDATE leader SET
            term = IF(candidate = ${candidate} AND expires_at > ${now} AND term >= ${heard}, term,
              GREATEST(term + 1, ${heard + 1}, ${now})),
            candidate = ${candidate}, expires_at = ${now} + ${ttlMs}
          WHERE id = 1 AND (candidate = ${candidate} OR expires_at <= ${now} OR expires_at > ${now} + ${ttlMs})`,
        sql`SELECT term, candidate, GREATEST(expires_at - ${now}, 0) AS left_ms FROM leader WHERE id = 1`,
      ]),
    )
    const [row] = rowsOf(answers[transactionPrefix + 2])
    if (row === undefined) throw new Failure('damaged', 'the row of the leader is gone')
    return { term: integer(row['term']), leader: text(row['candidate']), leftMs: integer(row['left_ms']) }
  }
}

function toState(value: unknown): InstanceState {
  const state = text(value)
  if (!states.includes(state)) throw new Failure('damaged', `an instance is in a state that does not exist: ${state}`)
  return state as InstanceState
}
