import { integer, type Sql } from '../../engine/sql.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { StoreError } from '../errors.ts'
import type { Commit, CommitResult } from '../store.ts'
import type { Leases } from './leases.ts'

/** What an owner writes. Every method runs in the caller's transaction, which rolls back when it throws. */
export class Commits {
  #sql: Sql
  #leases: Leases

  constructor(sql: Sql, leases: Leases) {
    this.#sql = sql
    this.#leases = leases
  }

  commit(commit: Commit): CommitResult {
    if (!this.#advance(commit)) return 'fenced'
    this.#writeChannels(commit)
    this.#writeInterest(commit)
    this.#removeChannels(commit)
    this.#writeProducers(commit)
    this.#writeOutbox(commit)
    for (const { offset, reason, record } of commit.deadLetters) {
      this.#sql.run(
        'INSERT INTO dead_letter (slot, offset, reason, record) VALUES (?, ?, ?, ?)',
        commit.slot,
        offset,
        reason,
        record,
      )
    }
    return 'committed'
  }

  pruneInterest(slot: SlotId, token: string, instance: string, limit: number): 'more' | 'done' | 'fenced' {
    if (this.#leases.lease(slot).token !== token) return 'fenced'
    const rows = this.#sql.all(
      'SELECT channel_id FROM interest WHERE instance = ? AND slot = ? LIMIT ?',
      instance,
      slot,
      limit,
    )
    for (const { channel_id: id } of rows) {
      this.#sql.run(
        'DELETE FROM interest WHERE instance = ? AND slot = ? AND channel_id = ?',
        instance,
        slot,
        integer(id),
      )
      this.#sql.run(
        `DELETE FROM channel WHERE id = ?1 AND top = 0
           AND NOT EXISTS (SELECT 1 FROM interest WHERE channel_id = ?1)`,
        integer(id),
      )
    }
    const left = this.#sql.get('SELECT 1 FROM interest WHERE instance = ? AND slot = ? LIMIT 1', instance, slot)
    if (left !== undefined) return 'more'
    this.#sql.run('UPDATE tombstone SET pruned = 1 WHERE slot = ? AND instance = ?', slot, instance)
    return 'done'
  }

  /** The fence, before anything else. A fingerprint belongs to a place and stays when the place does. */
  #advance({ slot, token, expected, next, fingerprint }: Commit): boolean {
    const where = 'WHERE slot = ? AND token = ? AND next_offset = ?'
    const changed =
      next > expected
        ? this.#sql.run(
            `UPDATE lease SET next_offset = ?, fingerprint = ?, trying = NULL, attempts = 0 ${where}`,
            next,
            fingerprint,
            slot,
            token,
            expected,
          )
        : this.#sql.run(`UPDATE lease SET next_offset = next_offset ${where}`, slot, token, expected)
    return this.#leases.whileOwned(slot, changed)
  }

  #writeChannels({ slot, channels, messages }: Commit): void {
    for (const { name, epoch, top, lastTime } of channels) {
      this.#sql.run(
        `INSERT INTO channel (slot, name, epoch, top, last_time) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (slot, name) DO UPDATE SET epoch = excluded.epoch, top = excluded.top,
           last_time = excluded.last_time`,
        slot,
        name,
        epoch,
        top,
        lastTime,
      )
    }
    for (const message of messages) {
      this.#sql.run(
        `INSERT INTO message (channel_id, offset, id, kind, user, data, info, tags, time, idem)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        this.#channelId(slot, message.channel),
        message.offset,
        message.id,
        message.kind,
        message.user,
        message.data,
        message.info,
        message.tags,
        message.time,
        message.idem,
      )
    }
  }

  #writeInterest({ slot, interestAdded, interestRemoved, gone }: Commit): void {
    for (const [channel, instance] of interestAdded) {
      this.#sql.run(
        'INSERT INTO interest (instance, slot, channel_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
        instance,
        slot,
        this.#channelId(slot, channel),
      )
    }
    for (const [channel, instance] of interestRemoved) {
      this.#sql.run(
        `DELETE FROM interest WHERE instance = ?1 AND slot = ?2 AND channel_id =
           (SELECT id FROM channel WHERE slot = ?2 AND name = ?3)`,
        instance,
        slot,
        channel,
      )
    }
    for (const instance of gone) {
      this.#sql.run('INSERT INTO tombstone (slot, instance) VALUES (?, ?) ON CONFLICT DO NOTHING', slot, instance)
    }
  }

  #removeChannels({ slot, channelsRemoved }: Commit): void {
    for (const name of channelsRemoved) {
      const row = this.#sql.get('SELECT id FROM channel WHERE slot = ? AND name = ?', slot, name)
      if (row === undefined) continue
      const id = integer(row['id'])
      // The next channel may get this id.
      this.#sql.run('DELETE FROM interest WHERE channel_id = ?', id)
      this.#sql.run('DELETE FROM channel WHERE id = ?', id)
    }
  }

  #writeProducers({ slot, producers, gone }: Commit): void {
    for (const [producer, lastN] of producers) {
      this.#sql.run(
        `INSERT INTO producer (slot, producer, last_n) VALUES (?, ?, ?)
         ON CONFLICT (slot, producer) DO UPDATE SET last_n = excluded.last_n`,
        slot,
        producer,
        lastN,
      )
    }
    // A producer is `instance.generation`; '/' is the character after '.', so this is all that start with `instance.`.
    for (const instance of gone) {
      this.#sql.run(
        'DELETE FROM producer WHERE slot = ? AND producer >= ? AND producer < ?',
        slot,
        `${instance}.`,
        `${instance}/`,
      )
    }
  }

  #writeOutbox({ slot, outbox, outboxDone, outboxNarrowed }: Commit): void {
    for (const { batchEnd, part } of outboxDone) {
      this.#sql.run('DELETE FROM outbox WHERE slot = ? AND batch_end = ? AND part = ?', slot, batchEnd, part)
    }
    for (const { batchEnd, part, inboxes } of outboxNarrowed) {
      this.#sql.run(
        'UPDATE outbox SET inboxes = ? WHERE slot = ? AND batch_end = ? AND part = ?',
        JSON.stringify(inboxes),
        slot,
        batchEnd,
        part,
      )
    }
    for (const { batchEnd, part, inboxes, body } of outbox) {
      this.#sql.run(
        'INSERT INTO outbox (slot, batch_end, part, inboxes, body) VALUES (?, ?, ?, ?, ?)',
        slot,
        batchEnd,
        part,
        JSON.stringify(inboxes),
        body,
      )
    }
  }

  #channelId(slot: SlotId, channel: string): number {
    const row = this.#sql.get('SELECT id FROM channel WHERE slot = ? AND name = ?', slot, channel)
    if (row === undefined) {
      throw new StoreError('damaged', `a commit of slot ${slot} names a channel that does not exist: ${channel}`)
    }
    return integer(row['id'])
  }
}
