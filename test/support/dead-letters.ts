/** What a worker has set aside, as the store keeps it. */
import { bytes, integer, text } from '../../engine/sql.ts'
import type { Sql } from '../../engine/sql.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { DeadLetter } from '../../store/store.ts'

/** All that was set aside in a slot, oldest first, in the tables of the embedded store and the one in memory. */
export function deadLettersIn(sql: Sql, slot: SlotId): DeadLetter[] {
  return sql
    .all('SELECT offset, reason, record FROM dead_letter WHERE slot = ? ORDER BY id', slot)
    .map((row) => ({ offset: integer(row['offset']), reason: text(row['reason']), record: bytes(row['record']) }))
}
