import type { Sql } from '../../engine/sql.ts'
import type { LogRecord } from '../../log/log.ts'
import { decodeEnvelope } from '../../protocol/records/envelope.ts'
import type { SlotEvent } from '../../protocol/records/event.ts'
import { decodeInbox } from '../../protocol/records/inbox.ts'
/** What must be true at every step, of the store and of every proxy. */
import { isAfter } from '../../protocol/records/position.ts'
import type { Position } from '../../protocol/records/position.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { StoreAnswer, StoreArguments, StoreRequest } from '../../store/embedded/sqlite-store.ts'
import { StoreError } from '../../store/errors.ts'
import type { Acquire, Commit } from '../../store/store.ts'
import type { Host } from './host.ts'
import type { StoreWatch } from './store.ts'

/** Outbox rows of one slot in the store at most: what a run can produce at its worst. */
const outboxRowsMax = 2_000

/**
 * What must hold after every commit, told apart from the production code: who may commit, that places and offsets go
 * on without gaps, that no cache was wrong.
 */
export class StoreInvariants implements StoreWatch {
  readonly #broken: (problem: string) => void
  readonly #sql: () => Sql
  /** Who acquired with which token. */
  readonly #acquirers = new Map<string, Host>()
  readonly #owners = new Map<SlotId, string>()
  readonly #nextOffsets = new Map<SlotId, number>()
  readonly #tops = new Map<string, number>()

  constructor(sql: () => Sql, broken: (problem: string) => void) {
    this.#sql = sql
    this.#broken = broken
  }

  done<R extends StoreRequest>(host: Host, request: R, values: StoreArguments<R>, answer: StoreAnswer<R>): void {
    if (request === 'acquire' && answer !== null) this.#acquired(host, values[0] as Acquire)
    else if (request === 'commit' && answer === 'committed') this.#committed(host, values[0] as Commit)
  }

  refused(host: Host, request: StoreRequest, error: unknown): void {
    if (error instanceof StoreError && error.code === 'unknown_slot') return
    this.#broken(`the store refused a ${request} of ${host.name}: ${String(error)}`)
  }

  /** What is told to proxies is committed. */
  emitted(record: Buffer): void {
    const header = decodeEnvelope(record).header as { type: string; slot: SlotId; events?: { o: number }[] }
    if (header.type !== 'events') return
    const next = this.#nextOffsets.get(header.slot) ?? 0
    const early = header.events!.find(({ o }) => o >= next)
    if (early)
      this.#broken(`${early.o} of ${header.slot} is told to proxies, and only what is below ${next} is committed`)
  }

  /** The store is another one by now: what holds is read from it. */
  startAnew(): void {
    this.#owners.clear()
    this.#nextOffsets.clear()
    this.#tops.clear()
    for (const { slot: name, token, next_offset: next } of this.#sql().all(
      'SELECT slot, token, next_offset FROM lease',
    )) {
      const slot = name as SlotId
      if (typeof token === 'string') this.#owners.set(slot, token)
      this.#nextOffsets.set(slot, next as number)
    }
    for (const { name, top } of this.#sql().all('SELECT name, top FROM channel'))
      this.#tops.set(name as string, top as number)
  }

  #acquired(host: Host, { slot, token }: Acquire): void {
    // One may ask again when the answer did not come.
    if ((this.#acquirers.get(token) ?? host) !== host) this.#broken(`the token of ${slot} was used before`)
    this.#acquirers.set(token, host)
    this.#owners.set(slot, token)
  }

  #committed(host: Host, { slot, token, expected, next, messages, channels }: Commit): void {
    if (this.#owners.get(slot) !== token || this.#acquirers.get(token) !== host)
      this.#broken(`${host.name} committed in ${slot}, which another has acquired since`)
    const at = this.#nextOffsets.get(slot) ?? 0
    if (at !== expected || next < expected)
      this.#broken(`${slot} is at ${at}, and ${expected} to ${next} was committed`)
    this.#nextOffsets.set(slot, next)
    for (const { channel, offset } of messages) {
      const top = this.#tops.get(channel) ?? 0
      if (offset !== top + 1) this.#broken(`offset ${offset} of ${channel} was committed after ${top}`)
      this.#tops.set(channel, offset)
    }
    for (const { name, top } of channels) {
      if (top !== (this.#tops.get(name) ?? 0)) this.#broken(`the top of ${name} is ${top}, its messages say otherwise`)
    }
    const rows = this.#sql().get('SELECT count(*) AS n FROM outbox WHERE slot = ?', slot)!['n'] as number
    if (rows > outboxRowsMax) this.#broken(`${slot} has ${rows} rows in its outbox`)
  }
}

/**
 * What a proxy's hub must be shown, computed beside the proxy from the same records: every positioned event once, in
 * the order of its slot.
 */
export class EventInvariants {
  readonly #host: Host
  readonly #instance: () => string
  readonly #broken: (problem: string) => void
  readonly #positions = new Map<SlotId, Position>()
  #expected: string[] = []

  constructor(host: Host, instance: () => string, broken: (problem: string) => void) {
    this.#host = host
    this.#instance = instance
    this.#broken = broken
  }

  /** Returns how many resyncs were among them. */
  read(records: LogRecord[]): number {
    if (this.#expected.length > 0) this.#broken(`${this.#host.name} was not shown ${this.#expected.join(', ')}`)
    this.#expected = []
    let resyncs = 0
    for (const { value } of records) {
      const message = decodeInbox(value, this.#instance())
      if (message?.type === 'resync') resyncs++
      if (message?.type !== 'events') continue
      for (const event of message.events) {
        const position = { incarnation: message.incarnation, offset: event.offset, index: event.index }
        if (!isAfter(position, this.#positions.get(message.slot))) continue
        this.#positions.set(message.slot, position)
        this.#expected.push(nameOf(event))
      }
    }
    return resyncs
  }

  handled(event: SlotEvent): void {
    const expected = this.#expected.shift()
    if (expected !== nameOf(event))
      this.#broken(`${this.#host.name} handles ${nameOf(event)}, due is ${expected ?? 'nothing'}`)
  }
}

function nameOf({ kind, offset, index }: SlotEvent): string {
  return `${kind} ${offset}.${index}`
}
