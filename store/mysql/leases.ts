import type { SlotId } from '../../protocol/slot.ts'
import { StoreError } from '../errors.ts'
import { carefulFrom, type Acquire, type Lease, type OutboxRow, type SlotState } from '../store.ts'
import type { Database } from './database.ts'
import { Failure } from './errors.ts'
import { bytes, integer, integerOrNull, metOf, rowsOf, strings, text, textOrNull } from './rows.ts'
import type { Result } from './rows.ts'
import { sql, type Sql } from './sql.ts'
import { transaction, transactionPrefix } from './transaction.ts'

type Row = Record<string, unknown>

/** Groups, the namespaces that they have, and who owns their slots. */
export class Leases {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async createGroup(group: string, slots: number, origin: string): Promise<number> {
    const pinned = await this.#pinned(group)
    if (pinned !== null) return pinned
    const leases = Array.from({ length: slots }, (_, slot) => sql`(${`${group}/${slot}`}, ${origin})`)
    try {
      await this.#database.request(
        transaction([
          sql`INSERT INTO slot_group (name, slots) VALUES (${group}, ${slots})`,
          sql`INSERT INTO lease (slot, origin) VALUES ${leases}`,
        ]),
      )
      return slots
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'duplicate') throw error
      // Another process was faster.
      return (await this.#pinned(group)) ?? slots
    }
  }

  async pinNamespaces(groups: { namespace: string; group: string }[]): Promise<void> {
    if (groups.length === 0) return
    // Always in one order: two controllers that note the same ones must not wait for each other.
    const sorted = groups.toSorted((a, b) => (a.namespace < b.namespace ? -1 : 1))
    const rows = sorted.map(({ namespace, group }) => sql`(${namespace}, ${group})`)
    await this.#database.request([
      sql`INSERT INTO namespace (name, slot_group) VALUES ${rows} ON DUPLICATE KEY UPDATE name = name`,
    ])
  }

  async namespaces(): Promise<{ namespace: string; group: string }[]> {
    const [rows] = await this.#database.request([sql`SELECT name, slot_group FROM namespace ORDER BY name`])
    return rowsOf(rows).map((row) => ({ namespace: text(row['name']), group: text(row['slot_group']) }))
  }

  async leases(): Promise<Lease[]> {
    const [rows] = await this.#database.request([sql`SELECT * FROM lease ORDER BY slot`])
    return rowsOf(rows).map(toLease)
  }

  /**
   * Waits for a commit of the slot that is under way (whoever made it), and ends those of this process whose connections
   * are gone. A server that has become read-only since it was connected to may lag behind the one that takes writes: its
   * answer is worth nothing.
   */
  async lease(slot: SlotId): Promise<Lease> {
    await this.#database.settle()
    const [rows] = await this.#database.request([
      sql`SELECT lease.*, @@GLOBAL.read_only AS is_read_only FROM lease WHERE slot = ${slot} FOR UPDATE`,
    ])
    if (rowsOf(rows)[0]?.['is_read_only'] === 1) {
      this.#database.reconnect()
      throw new Failure('read_only', 'the database server has become read-only')
    }
    return leaseIn(slot, rows)
  }

  async acquire({ slot, seen, token, owner, version, announced }: Acquire): Promise<SlotState | null> {
    // The store may have lost the raise of an incarnation too.
    const wentBack = announced
      ? sql`(incarnation < ${announced.incarnation}
          OR (incarnation = ${announced.incarnation} AND next_offset < ${announced.nextOffset}))`
      : sql`0`
    const answers = await this.#database.request(
      transaction([
        sql`SELECT lease.*, ${wentBack} AS went_back FROM lease WHERE slot = ${slot} FOR UPDATE`,
        // From left to right, each assignment sees those before it.
        sql`UPDATE lease SET incarnation = IF(${wentBack}, ${announced?.incarnation ?? 0} + 1, incarnation),
            attempts = attempts + (owner_id IS NOT NULL AND NOT (killed_by <=> token)
              AND (attempts < ${carefulFrom} OR trying <=> next_offset)),
            token = ${token}, owner_id = ${owner}, version = ${version}, epoch = epoch + 1, trying = NULL
          WHERE slot = ${slot} AND token <=> ${seen.token} AND epoch = ${seen.epoch}`,
        sql`SELECT * FROM lease WHERE slot = ${slot}`,
        sql`SELECT producer, last_n FROM producer WHERE slot = ${slot}`,
        sql`SELECT instance_id, pruned FROM tombstone WHERE slot = ${slot}`,
        sql`SELECT batch_end, part, inboxes, payload FROM outbox WHERE slot = ${slot} ORDER BY batch_end, part`,
      ]),
    )
    const [before, update, after, producers, tombstones, outbox] = answers.slice(transactionPrefix)
    const { owner: ownerBefore, trying } = leaseIn(slot, before)
    if (metOf(update) === 0) return null
    return {
      lease: leaseIn(slot, after),
      unclean: ownerBefore !== null,
      wentBack: rowsOf(before)[0]?.['went_back'] === 1,
      tried: trying,
      producers: rowsOf(producers).map((row) => [text(row['producer']), integer(row['last_n'])]),
      tombstones: rowsOf(tombstones).map((row) => ({
        instance: text(row['instance_id']),
        pruned: row['pruned'] === 1,
      })),
      outbox: rowsOf(outbox).map(toOutboxRow),
    }
  }

  release(slot: SlotId, token: string): Promise<boolean> {
    return this.#whileOwned(slot, sql`UPDATE lease SET owner_id = NULL WHERE slot = ${slot} AND token = ${token}`)
  }

  markTrying(slot: SlotId, token: string, offset: number): Promise<boolean> {
    return this.#whileOwned(slot, sql`UPDATE lease SET trying = ${offset} WHERE slot = ${slot} AND token = ${token}`)
  }

  markKilled(slot: SlotId, token: string, offset: number): Promise<boolean> {
    return this.#whileOwned(
      slot,
      sql`UPDATE lease SET killed = GREATEST(COALESCE(killed, -1), ${offset}), killed_by = token
        WHERE slot = ${slot} AND token = ${token}`,
    )
  }

  /**
   * The log starts anew, so a later batch could end where an earlier one did: outbox rows that are left move below zero,
   * in their order. The shift is wider than what they span, so that no row meets another on the way.
   */
  async resetSlot(slot: SlotId, nextOffset: number): Promise<Lease> {
    const answers = await this.#database.request(
      transaction([
        sql`UPDATE lease SET next_offset = ${nextOffset}, incarnation = incarnation + 1, token = NULL, owner_id = NULL,
            fingerprint = NULL, trying = NULL, attempts = 0, killed = NULL, killed_by = NULL
          WHERE slot = ${slot}`,
        sql`SET @shift = (SELECT MAX(batch_end) - LEAST(MIN(batch_end), 0) + 1 FROM outbox WHERE slot = ${slot})`,
        sql`UPDATE outbox SET batch_end = batch_end - @shift WHERE slot = ${slot}`,
        sql`SELECT * FROM lease WHERE slot = ${slot}`,
      ]),
    )
    return leaseIn(slot, answers[transactionPrefix + 3])
  }

  /** True when a fenced update met its lease; rejects when there is no such slot at all. */
  async #whileOwned(slot: SlotId, update: Sql): Promise<boolean> {
    const [updated] = await this.#database.request([update])
    if (metOf(updated) === 0) await this.lease(slot)
    return metOf(updated) > 0
  }

  async #pinned(group: string): Promise<number | null> {
    const [rows] = await this.#database.request([sql`SELECT slots FROM slot_group WHERE name = ${group}`])
    const [row] = rowsOf(rows)
    return row ? integer(row['slots']) : null
  }
}

function leaseIn(slot: SlotId, rows: Result | undefined): Lease {
  const [row] = rowsOf(rows)
  if (row === undefined) throw new StoreError('unknown_slot', `there is no slot ${slot}`)
  return toLease(row)
}

function toLease(row: Row): Lease {
  return {
    slot: text(row['slot']) as SlotId,
    token: textOrNull(row['token']),
    owner: textOrNull(row['owner_id']),
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

function toOutboxRow(row: Row): OutboxRow {
  return {
    batchEnd: integer(row['batch_end']),
    part: integer(row['part']),
    inboxes: strings(row['inboxes']),
    body: bytes(row['payload']),
  }
}
