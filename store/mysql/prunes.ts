import type { SlotId } from '../../protocol/slot.ts'
import { StoreError } from '../errors.ts'
import type { Database } from './database.ts'
import { Failure } from './errors.ts'
import { integer, rowsOf } from './rows.ts'
import { sql } from './sql.ts'
import { fencedTransaction } from './transaction.ts'

/** Removes what a retired instance had open, in chunks. */
export class Prunes {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async pruneInterest(
    slot: SlotId,
    token: string,
    instance: string,
    limit: number,
  ): Promise<'more' | 'done' | 'fenced'> {
    // By way of a list of keys: a DELETE with a limit may read from the table's start, through other slots' rows.
    const listed = sql`(
        SELECT channel_id FROM interest FORCE INDEX (interest_instance)
        WHERE instance_id = ${instance} AND slot = ${slot} LIMIT ${limit}
      ) AS listed`
    const left = sql`EXISTS (SELECT 1 FROM interest WHERE instance_id = ${instance} AND slot = ${slot})`
    const statements = fencedTransaction(
      sql`UPDATE lease SET next_offset = next_offset WHERE slot = ${slot} AND token = ${token}`,
      1,
      [
        sql`DELETE channel FROM ${listed}
          STRAIGHT_JOIN channel ON channel.id = listed.channel_id
          WHERE channel.top = 0 AND NOT EXISTS (
            SELECT 1 FROM interest WHERE interest.slot = ${slot} AND interest.channel_id = channel.id
              AND interest.instance_id <> ${instance}
          )`,
        sql`DELETE interest FROM ${listed}
          STRAIGHT_JOIN interest ON interest.slot = ${slot} AND interest.channel_id = listed.channel_id
            AND interest.instance_id = ${instance}`,
        sql`UPDATE tombstone SET pruned = 1 WHERE slot = ${slot} AND instance_id = ${instance} AND NOT ${left}`,
        sql`SELECT ${left} AS more`,
      ],
    )
    try {
      const answers = await this.#database.request(statements)
      // Before COMMIT and what sets the connection back.
      return integer(rowsOf(answers.at(-3))[0]?.['more']) === 1 ? 'more' : 'done'
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'fenced') throw error
      const [rows] = await this.#database.request([sql`SELECT slot FROM lease WHERE slot = ${slot}`])
      if (rowsOf(rows).length > 0) return 'fenced'
      throw new StoreError('unknown_slot', `there is no slot ${slot}`, { cause: error })
    }
  }
}
