import { integer, text, type Sql } from '../../engine/sql.ts'
import type { InstanceState, Leadership } from '../store.ts'

/** What controllers keep: serving version, instances, leadership. Every method runs in the caller's transaction. */
export class Cluster {
  #sql: Sql
  #now: () => number

  /** `now` is the store's own clock, in milliseconds. */
  constructor(sql: Sql, now: () => number) {
    this.#sql = sql
    this.#now = now
  }

  servingVersion(): string | null {
    const row = this.#sql.get('SELECT version FROM serving')
    return row === undefined ? null : text(row['version'])
  }

  setServingVersion(seen: string | null, version: string): boolean {
    if (this.servingVersion() !== seen) return false
    this.#sql.run('INSERT OR REPLACE INTO serving (one, version) VALUES (1, ?)', version)
    return true
  }

  registerInstances(ids: string[]): void {
    for (const id of ids)
      this.#sql.run("INSERT INTO instance (id, state) VALUES (?, 'live') ON CONFLICT DO NOTHING", id)
  }

  moveInstance(id: string, from: InstanceState, to: InstanceState): boolean {
    // One that only other rows name counts as live: see instances().
    if (from === 'live') this.registerInstances([id])
    return this.#sql.run('UPDATE instance SET state = ? WHERE id = ? AND state = ?', to, id, from) > 0
  }

  instances(): { id: string; state: InstanceState }[] {
    const states = new Map(
      this.#sql
        .all('SELECT id, state FROM instance ORDER BY id')
        .map((row) => [text(row['id']), text(row['state']) as InstanceState]),
    )
    for (const id of this.#named()) if (!states.has(id)) states.set(id, 'live')
    return [...states].filter(([, state]) => state !== 'gone').map(([id, state]) => ({ id, state }))
  }

  lead(candidate: string, ttlMs: number, heard = 0): Leadership {
    const now = this.#now()
    const row = this.#sql.get('SELECT term, leader, until FROM leader')
    const held = row && { term: integer(row['term']), leader: text(row['leader']), until: integer(row['until']) }
    const isHeld = held !== undefined && held.until > now
    // One that lasts longer than it can was written before the clock went back.
    const isBelieved = isHeld && held.until <= now + ttlMs
    if (isBelieved && held.leader !== candidate) {
      return { term: held.term, leader: held.leader, leftMs: held.until - now }
    }
    const goesOn = isHeld && held.leader === candidate && held.term >= heard
    const term = goesOn ? held.term : Math.max((held?.term ?? 0) + 1, heard + 1, now)
    this.#sql.run(
      'INSERT OR REPLACE INTO leader (one, term, leader, until) VALUES (1, ?, ?, ?)',
      term,
      candidate,
      now + ttlMs,
    )
    return { term, leader: candidate, leftMs: ttlMs }
  }

  /** Instances that interest or producer rows name. Hops from one instance to the next, however many rows each has. */
  #named(): string[] {
    const interested = this.#sql.all(
      `WITH RECURSIVE named (id) AS (
         SELECT min(instance) FROM interest
         UNION ALL SELECT (SELECT min(instance) FROM interest WHERE instance > named.id) FROM named
           WHERE named.id IS NOT NULL
       ) SELECT id FROM named WHERE id IS NOT NULL`,
    )
    const producers = this.#sql.all("SELECT DISTINCT producer FROM producer WHERE producer LIKE '%.%'")
    return [
      ...interested.map(({ id }) => text(id)),
      ...producers.map(({ producer }) => text(producer).slice(0, text(producer).lastIndexOf('.'))),
    ]
  }
}
