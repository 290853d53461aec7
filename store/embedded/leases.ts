import { bytes, integer, integerOrNull, strings, text, textOrNull, type Row, type Sql } from '../../engine/sql.ts'
import { isFurther } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { StoreError } from '../errors.ts'
import { carefulFrom, type Acquire, type Lease, type OutboxRow, type SlotState } from '../store.ts'

/** Slots of a group at most: whoever reaches the engine's socket may ask for any number, and each is a row. */
const slotsMax = 100_000

/** Groups, the namespaces that they have, and who owns their slots. Every method runs in the caller's transaction. */
export class Leases {
  #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  createGroup(group: string, slots: number, origin: string): number {
    const pinned = this.#sql.get('SELECT slots FROM slot_group WHERE name = ?', group)
    if (pinned !== undefined) return integer(pinned['slots'])
    if (!(slots >= 1 && slots <= slotsMax)) throw new RangeError(`a group has 1 to ${slotsMax} slots, not ${slots}`)
    this.#sql.run('INSERT INTO slot_group (name, slots) VALUES (?, ?)', group, slots)
    for (let slot = 0; slot < slots; slot += 1)
      this.#sql.run('INSERT INTO lease (slot, origin) VALUES (?, ?)', `${group}/${slot}`, origin)
    return slots
  }

  pinNamespaces(groups: { namespace: string; group: string }[]): void {
    for (const { namespace, group } of groups)
      this.#sql.run('INSERT INTO namespace (name, slot_group) VALUES (?, ?) ON CONFLICT DO NOTHING', namespace, group)
  }

  namespaces(): { namespace: string; group: string }[] {
    return this.#sql
      .all('SELECT name, slot_group FROM namespace ORDER BY name')
      .map((row) => ({ namespace: text(row['name']), group: text(row['slot_group']) }))
  }

  leases(): Lease[] {
    return this.#sql.all('SELECT * FROM lease ORDER BY slot').map(toLease)
  }

  lease(slot: SlotId): Lease {
    const row = this.#sql.get('SELECT * FROM lease WHERE slot = ?', slot)
    if (row === undefined) throw new StoreError('unknown_slot', `there is no slot ${slot}`)
    return toLease(row)
  }

  acquire({ slot, seen, token, owner, version, announced }: Acquire): SlotState | null {
    const before = this.lease(slot)
    if (before.token !== seen.token || before.epoch !== seen.epoch) return null
    const unclean = before.owner !== null
    // The store may have lost the raise of an incarnation too.
    const wentBack = announced !== null && isFurther(announced, before)
    const { killed_by: killedBy } = this.#sql.get('SELECT killed_by FROM lease WHERE slot = ?', slot)!
    const isCounted = unclean && textOrNull(killedBy) !== before.token
    const blamed = isCounted && (before.attempts < carefulFrom || before.trying === before.nextOffset)
    this.#sql.run(
      `UPDATE lease SET token = ?, owner = ?, version = ?, epoch = epoch + 1, attempts = attempts + ?, trying = NULL,
         incarnation = ?
       WHERE slot = ?`,
      token,
      owner,
      version,
      blamed ? 1 : 0,
      wentBack ? announced.incarnation + 1 : before.incarnation,
      slot,
    )
    return {
      lease: this.lease(slot),
      unclean,
      wentBack,
      tried: before.trying,
      producers: this.#producers(slot),
      tombstones: this.#tombstones(slot),
      outbox: this.#outbox(slot),
    }
  }

  release(slot: SlotId, token: string): boolean {
    return this.whileOwned(
      slot,
      this.#sql.run('UPDATE lease SET owner = NULL WHERE slot = ? AND token = ?', slot, token),
    )
  }

  markTrying(slot: SlotId, token: string, offset: number): boolean {
    return this.whileOwned(
      slot,
      this.#sql.run('UPDATE lease SET trying = ? WHERE slot = ? AND token = ?', offset, slot, token),
    )
  }

  markKilled(slot: SlotId, token: string, offset: number): boolean {
    return this.whileOwned(
      slot,
      this.#sql.run(
        'UPDATE lease SET killed = max(coalesce(killed, -1), ?), killed_by = token WHERE slot = ? AND token = ?',
        offset,
        slot,
        token,
      ),
    )
  }

  resetSlot(slot: SlotId, nextOffset: number): Lease {
    this.#sql.run(
      `UPDATE lease SET next_offset = ?, incarnation = incarnation + 1, token = NULL, owner = NULL, fingerprint = NULL,
         trying = NULL, attempts = 0, killed = NULL, killed_by = NULL
       WHERE slot = ?`,
      nextOffset,
      slot,
    )
    this.#setAsideOutbox(slot)
    return this.lease(slot)
  }

  /** True when a fenced update met its lease; rejects when there is no such slot at all. */
  whileOwned(slot: SlotId, changed: number): boolean {
    if (changed === 0) this.lease(slot)
    return changed > 0
  }

  /**
   * The log starts anew, so a later batch could end where an earlier one did: rows that are left move below zero, in
   * their order. The shift is wider than what they span, so that no row meets another on the way.
   */
  #setAsideOutbox(slot: SlotId): void {
    const ends = this.#sql.get('SELECT min(batch_end) AS low, max(batch_end) AS high FROM outbox WHERE slot = ?', slot)
    const low = integerOrNull(ends?.['low'])
    const high = integerOrNull(ends?.['high'])
    if (low === null || high === null) return
    const shift = high - Math.min(low, 0) + 1
    this.#sql.run('UPDATE outbox SET batch_end = batch_end - ? WHERE slot = ?', shift, slot)
  }

  #producers(slot: SlotId): [string, number][] {
    return this.#sql
      .all('SELECT producer, last_n FROM producer WHERE slot = ?', slot)
      .map((row) => [text(row['producer']), integer(row['last_n'])])
  }

  #tombstones(slot: SlotId): SlotState['tombstones'] {
    return this.#sql
      .all('SELECT instance, pruned FROM tombstone WHERE slot = ?', slot)
      .map((row) => ({ instance: text(row['instance']), pruned: row['pruned'] === 1 }))
  }

  #outbox(slot: SlotId): OutboxRow[] {
    return this.#sql
      .all('SELECT batch_end, part, inboxes, body FROM outbox WHERE slot = ? ORDER BY batch_end, part', slot)
      .map((row) => ({
        batchEnd: integer(row['batch_end']),
        part: integer(row['part']),
        inboxes: strings(row['inboxes']),
        body: bytes(row['body']),
      }))
  }
}

function toLease(row: Row): Lease {
  return {
    slot: text(row['slot']) as SlotId,
    token: textOrNull(row['token']),
    owner: textOrNull(row['owner']),
    version: textOrNull(row['version']),
    epoch: integer(row['epoch']),
    nextOffset: integer(row['next_offset']),
    incarnation: integer(row['incarnation']),
    fingerprint: textOrNull(row['fingerprint']),
    trying: integerOrNull(row['trying']),
    attempts: integer(row['attempts']),
    killed: integerOrNull(row['killed']),
    origin: text(row['origin']),
  }
}
