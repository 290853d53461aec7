import { hash } from 'node:crypto'
import type { SlotId } from '../../protocol/slot.ts'
import { hexLiteral, type Sql } from './sql.ts'

/**
 * The key of a channel's rows: the first 16 bytes of SHA-256 over slot and name. A commit can name it without asking
 * the database, and it is short however long the name is.
 */
export function channelId(slot: SlotId, name: string): Sql {
  // The length keeps (`a`, `bc`) and (`ab`, `c`) apart.
  return hexLiteral(hash('sha256', `${slot.length} ${slot}${name}`, 'hex').slice(0, 32))
}
