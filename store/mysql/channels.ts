import type { SlotId } from '../../protocol/slot.ts'
import { StoreError } from '../errors.ts'
import { messageBytes } from '../message-size.ts'
import type { ActiveChannels, ChannelState, IdemHit, Message, MessageQuery } from '../store.ts'
import { channelId } from './channel-id.ts'
import type { Database } from './database.ts'
import { Failure } from './errors.ts'
import { bytes, bytesOrNull, integer, rowsOf, text, textOrNull } from './rows.ts'
import type { Result } from './rows.ts'
import { joined, sql, type Sql } from './sql.ts'

/** Channels or keys that one statement asks for; more make more statements of the same request. */
export const lookupChunk = 200

/** Messages that are asked for before anything is known of their size. */
export const firstPageRows = 64

type Row = Record<string, unknown>

const or = sql` OR `

/** What is read about channels: state, messages, keys, dead letters. */
export class Channels {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async channels(slot: SlotId, names: string[]): Promise<ChannelState[]> {
    const answers = await this.#inChunks(names, (some) => channelsStatement(slot, some))
    const found = statesIn(answers.flatMap(rowsOf))
    return [...new Set(names)].flatMap((name) => found.get(name) ?? [])
  }

  async activeChannels(slot: SlotId, limit: number): Promise<ActiveChannels> {
    // One statement is one snapshot. No index on last_time: it would have to be written with every message.
    const [rows] = await this.#database.request([
      sql`SELECT lease.incarnation, lease.next_offset, latest.name, latest.epoch, latest.top, latest.last_time,
          interest.instance_id
        FROM lease LEFT JOIN (
          SELECT channel.id, channel.name, channel.epoch, channel.top, channel.last_time
          FROM (SELECT DISTINCT channel_id FROM interest WHERE slot = ${slot}) AS opened
          JOIN channel ON channel.id = opened.channel_id
          ORDER BY channel.last_time DESC LIMIT ${limit}
        ) AS latest ON TRUE
        LEFT JOIN interest ON interest.slot = ${slot} AND interest.channel_id = latest.id
        WHERE lease.slot = ${slot}
        ORDER BY latest.last_time DESC`,
    ])
    const [row] = rowsOf(rows)
    if (row === undefined) throw new StoreError('unknown_slot', `there is no slot ${slot}`)
    return {
      place: { incarnation: integer(row['incarnation']), nextOffset: integer(row['next_offset']) },
      // A slot in which no channel is open is one row without a name.
      channels: [...statesIn(rowsOf(rows).filter(({ name }) => name !== null)).values()],
    }
  }

  async idempotent(slot: SlotId, keys: { channel: string; idem: Buffer }[]): Promise<IdemHit[]> {
    const answers = await this.#inChunks(keys, (some) => keysStatement(slot, some))
    return answers.flatMap(rowsOf).map((row) => {
      const message = toMessage(text(row['name']), row)
      if (message.idem === null) throw new Failure('damaged', `a key leads to a message without one: ${message.id}`)
      return { channel: message.channel, idem: message.idem, message }
    })
  }

  /** Asks for a few messages, and for as many more as will fit when their size is known. */
  async messages(slot: SlotId, query: MessageQuery): Promise<Message[]> {
    const { limit, reverse, bytesMax } = query
    const found: Message[] = []
    let { after, before } = query
    let size = 0
    for (let rows = Math.min(limit, firstPageRows); rows > 0;) {
      const page = await this.#page(slot, { ...query, after, before, limit: rows })
      for (const message of page) {
        // Newest first, no older one is newer (unless a clock was wrong): the rest needs no look.
        if (message.time < query.since) return found
        size += messageBytes(message)
        if (found.length > 0 && size > bytesMax) return found
        found.push(message)
      }
      const last = found.at(-1)
      if (last === undefined || page.length < rows) return found
      if (reverse) before = last.offset
      else after = last.offset
      const fitting = Math.ceil((bytesMax - size) / (size / found.length)) + 1
      rows = Math.min(limit - found.length, Math.max(1, fitting))
    }
    return found
  }

  async #page(slot: SlotId, query: MessageQuery): Promise<Message[]> {
    const [rows] = await this.#database.request([pageStatement(slot, query)])
    return rowsOf(rows).map((row) => toMessage(query.channel, row))
  }

  async #inChunks<T>(items: readonly T[], statement: (some: T[]) => Sql): Promise<Result[]> {
    const statements: Sql[] = []
    for (let start = 0; start < items.length; start += lookupChunk)
      statements.push(statement(items.slice(start, start + lookupChunk)))
    return statements.length === 0 ? [] : this.#database.request(statements)
  }
}

/** Channels by their keys, with what instances have them open. */
export function channelsStatement(slot: SlotId, names: string[]): Sql {
  return sql`SELECT channel.name, channel.epoch, channel.top, channel.last_time, interest.instance_id
    FROM channel LEFT JOIN interest ON interest.slot = ${slot} AND interest.channel_id = channel.id
    WHERE channel.id IN (${names.map((name) => channelId(slot, name))})`
}

/** Messages by their idempotency keys. */
export function keysStatement(slot: SlotId, keys: { channel: string; idem: Buffer }[]): Sql {
  const wanted = keys.map(
    ({ channel, idem }) => sql`message_key.channel_id = ${channelId(slot, channel)} AND message_key.idem = ${idem}`,
  )
  return sql`SELECT channel.name, message.* FROM message_key FORCE INDEX (PRIMARY)
    JOIN message ON message.channel_id = message_key.channel_id
      AND message.channel_offset = message_key.channel_offset
    JOIN channel ON channel.id = message_key.channel_id
    WHERE ${joined(wanted, or)}`
}

/** A range of the primary key, read in its order. */
export function pageStatement(slot: SlotId, query: MessageQuery): Sql {
  const { channel, after, before, since, limit, reverse } = query
  return sql`SELECT channel_offset, id, kind, user_id, payload, info, tags, sent_at, idem FROM message
    WHERE channel_id = ${channelId(slot, channel)} AND channel_offset > ${after}
      ${before === null ? sql`` : sql`AND channel_offset < ${before}`}
      ${reverse ? sql`` : sql`AND sent_at >= ${since}`}
    ORDER BY channel_offset ${reverse ? sql`DESC` : sql`ASC`} LIMIT ${limit}`
}

/** Channels by name, in the order of their first rows: one row for each instance that has one open, or one. */
function statesIn(rows: readonly Row[]): Map<string, ChannelState> {
  const found = new Map<string, ChannelState>()
  for (const row of rows) {
    const name = text(row['name'])
    let state = found.get(name)
    if (state === undefined) {
      state = {
        name,
        epoch: text(row['epoch']),
        top: integer(row['top']),
        lastTime: integer(row['last_time']),
        interest: [],
      }
      found.set(name, state)
    }
    const instance = textOrNull(row['instance_id'])
    if (instance !== null) state.interest.push(instance)
  }
  return found
}

function toMessage(channel: string, row: Row): Message {
  const kind = text(row['kind'])
  if (kind !== 'message') throw new Failure('damaged', `a message of a kind that does not exist: ${kind}`)
  return {
    channel,
    offset: integer(row['channel_offset']),
    id: text(row['id']),
    kind,
    user: text(row['user_id']),
    data: bytes(row['payload']),
    info: textOrNull(row['info']),
    tags: textOrNull(row['tags']),
    time: integer(row['sent_at']),
    idem: bytesOrNull(row['idem']),
  }
}
