import { bytes, bytesOrNull, integer, text, textOrNull, type Row, type Sql } from '../../engine/sql.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { StoreError } from '../errors.ts'
import { messageBytes } from '../message-size.ts'
import type { ActiveChannels, ChannelState, IdemHit, Message, MessageQuery } from '../store.ts'

/** What is read about channels: state, messages, keys, dead letters. Every method runs in the caller's transaction. */
export class Channels {
  #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  channels(slot: SlotId, names: string[]): ChannelState[] {
    const found: ChannelState[] = []
    for (const name of names) {
      const row = this.#sql.get('SELECT * FROM channel WHERE slot = ? AND name = ?', slot, name)
      if (row !== undefined) found.push(this.#toState(row))
    }
    return found
  }

  activeChannels(slot: SlotId, limit: number): ActiveChannels {
    const lease = this.#sql.get('SELECT incarnation, next_offset FROM lease WHERE slot = ?', slot)
    if (lease === undefined) throw new StoreError('unknown_slot', `there is no slot ${slot}`)
    // No index on last_time: it would have to be written with every message.
    const rows = this.#sql.all(
      `SELECT * FROM channel WHERE id IN (SELECT channel_id FROM interest WHERE slot = ?)
       ORDER BY last_time DESC LIMIT ?`,
      slot,
      limit,
    )
    return {
      place: { incarnation: integer(lease['incarnation']), nextOffset: integer(lease['next_offset']) },
      channels: rows.map((row) => this.#toState(row)),
    }
  }

  idempotent(slot: SlotId, keys: { channel: string; idem: Buffer }[]): IdemHit[] {
    const found: IdemHit[] = []
    for (const { channel, idem } of keys) {
      const row = this.#sql.get(
        `SELECT message.* FROM message JOIN channel ON channel.id = channel_id
         WHERE slot = ? AND name = ? AND idem = ?`,
        slot,
        channel,
        idem,
      )
      if (row !== undefined) found.push({ channel, idem, message: toMessage(channel, row) })
    }
    return found
  }

  messages(slot: SlotId, { channel, after, before, since, limit, reverse, bytesMax }: MessageQuery): Message[] {
    const found: Message[] = []
    let size = 0
    const rows = this.#sql.iterate(
      `SELECT message.* FROM message WHERE channel_id = (SELECT id FROM channel WHERE slot = ? AND name = ?)
         AND offset > ? AND offset < ? AND time >= ? ORDER BY offset ${reverse ? 'DESC' : 'ASC'} LIMIT ?`,
      slot,
      channel,
      after,
      before ?? Number.MAX_SAFE_INTEGER,
      since,
      limit,
    )
    for (const row of rows) {
      const message = toMessage(channel, row)
      size += messageBytes(message)
      if (found.length > 0 && size > bytesMax) break
      found.push(message)
    }
    return found
  }

  #toState(row: Row): ChannelState {
    const interest = this.#sql.all('SELECT instance FROM interest WHERE channel_id = ?', integer(row['id']))
    return {
      name: text(row['name']),
      epoch: text(row['epoch']),
      top: integer(row['top']),
      lastTime: integer(row['last_time']),
      interest: interest.map(({ instance }) => text(instance)),
    }
  }
}

function toMessage(channel: string, row: Row): Message {
  return {
    channel,
    offset: integer(row['offset']),
    id: text(row['id']),
    kind: text(row['kind']) as Message['kind'],
    user: text(row['user']),
    data: bytes(row['data']),
    info: textOrNull(row['info']),
    tags: textOrNull(row['tags']),
    time: integer(row['time']),
    idem: bytesOrNull(row['idem']),
  }
}
