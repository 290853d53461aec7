import type { SlotId } from '../store/store.ts'
import { FormatError, decodeEnvelope, encodeEnvelope } from './envelope.ts'

/**
 * What a worker tells proxies: a batch of events of one slot in one record, for the instances named in it. Bodies
 * are JSON texts that the worker serialised once; a proxy frames them and never parses them.
 */

/** Events that carry a position are delivered once and in order; each is for some of the batch's instances. */
export type SlotEvent =
  | {
      kind: 'publication'
      offset: number
      index: number
      to: string[]
      channel: string
      epoch: string
      /** Channel offset. */
      top: number
      /** When the message was accepted, ms. */
      time: number
      body: Buffer
    }
  | {
      kind: 'subscribed'
      offset: number
      index: number
      to: string[]
      n: number
      channel: string
      epoch: string
      top: number
    }
  /** Answer of a write; `error` instead of a body when it had no effect. */
  | { kind: 'reply'; offset: number; index: number; to: string[]; n: number; error: EventError | null; body: Buffer }
  /** Epoch and top of channels at this very position. */
  | {
      kind: 'tops'
      offset: number
      index: number
      to: string[]
      n: number
      tops: [channel: string, epoch: string, top: number][]
    }

export interface EventError {
  code: number
  message: string
}

export interface EventBatch {
  type: 'events'
  slot: SlotId
  incarnation: number
  worker: string
  version: string
  events: SlotEvent[]
}

/** Out of band: answer of a read, without a position. */
export interface AnswerRecord {
  type: 'answer'
  slot: SlotId
  to: string
  n: number
  worker: string
  version: string
  error: EventError | null
  body: Buffer
}

/** Control: positions of this slot are insufficient for the instances named. */
export interface ResyncRecord {
  type: 'resync'
  slot: SlotId
  to: string[]
}

/** Control: this instance was declared dead. */
export interface RetiredRecord {
  type: 'retired'
  to: string
}

export type InboxRecord = EventBatch | AnswerRecord | ResyncRecord | RetiredRecord

/** A record's parts are cut at this size, below the usual limit of 1 MB per record. */
export const partBytesMax = 900_000

const nothing = Buffer.alloc(0)

interface EventHeader {
  k: SlotEvent['kind']
  o: number
  x: number
  /** Indices into the batch's `to`. */
  to: number[]
  l: number
  [member: string]: unknown
}

function describe(event: SlotEvent, to: number[]): EventHeader {
  const base = { k: event.kind, o: event.offset, x: event.index, to }
  switch (event.kind) {
    case 'publication':
      return { ...base, l: event.body.length, c: event.channel, e: event.epoch, t: event.top, at: event.time }
    case 'subscribed':
      return { ...base, l: 0, n: event.n, c: event.channel, e: event.epoch, t: event.top }
    case 'reply':
      return { ...base, l: event.body.length, n: event.n, ...(event.error && { err: event.error }) }
    case 'tops':
      return { ...base, l: 0, n: event.n, tops: event.tops }
  }
}

export function encodeEvents(batch: EventBatch): Buffer {
  const to = [...new Set(batch.events.flatMap((event) => event.to))]
  const indexOf = new Map(to.map((instance, index) => [instance, index]))
  const events = batch.events.map((event) =>
    describe(
      event,
      event.to.map((instance) => indexOf.get(instance)!),
    ),
  )
  const bodies = batch.events.map((event) => ('body' in event ? event.body : nothing))
  const { slot, incarnation: inc, worker: w, version: v } = batch
  return encodeEnvelope({ type: 'events', slot, inc, w, v, to, events }, bodies)
}

export function encodeAnswer(answer: AnswerRecord): Buffer {
  const { body, ...header } = answer
  return encodeEnvelope(header, body)
}

export function encodeControl(record: ResyncRecord | RetiredRecord): Buffer {
  return encodeEnvelope(record, nothing)
}

/**
 * Decodes what is for `instance`: null when nothing in the record is. Events for other instances are left out.
 * Throws FormatError.
 */
export function decodeInbox(value: Buffer, instance: string): InboxRecord | null {
  const { header, payload } = decodeEnvelope(value)
  if (typeof header !== 'object' || header === null) throw new FormatError('record header is not an object')
  const h = header as { type?: unknown; to?: unknown } & Record<string, unknown>
  const isForUs = Array.isArray(h.to) ? h.to.includes(instance) : h.to === instance
  switch (h.type) {
    case 'events':
      return isForUs ? decodeEvents(h, payload, (h.to as string[]).indexOf(instance), instance) : null
    case 'answer':
      return isForUs ? ({ ...h, body: payload } as unknown as AnswerRecord) : null
    case 'resync':
    case 'retired':
      return isForUs ? (h as unknown as ResyncRecord | RetiredRecord) : null
    default:
      throw new FormatError('record is not for an inbox')
  }
}

function decodeEvents(h: Record<string, unknown>, payload: Buffer, mine: number, instance: string): EventBatch {
  const events: SlotEvent[] = []
  let at = 0
  for (const e of h['events'] as EventHeader[]) {
    const body = payload.subarray(at, at + e.l)
    at += e.l
    if (e.to.includes(mine)) events.push(restore(e, body, instance))
  }
  return {
    type: 'events',
    slot: h['slot'] as string,
    incarnation: h['inc'] as number,
    worker: h['w'] as string,
    version: h['v'] as string,
    events,
  }
}

function restore(e: EventHeader, body: Buffer, instance: string): SlotEvent {
  const base = { offset: e.o, index: e.x, to: [instance] }
  const n = e['n'] as number
  const channel = e['c'] as string
  const epoch = e['e'] as string
  const top = e['t'] as number
  switch (e.k) {
    case 'publication':
      return { kind: 'publication', ...base, channel, epoch, top, time: e['at'] as number, body }
    case 'subscribed':
      return { kind: 'subscribed', ...base, n, channel, epoch, top }
    case 'reply':
      return { kind: 'reply', ...base, n, error: (e['err'] as EventError | undefined) ?? null, body }
    case 'tops':
      return { kind: 'tops', ...base, n, tops: e['tops'] as [string, string, number][] }
    default:
      throw new FormatError(`unknown event ${String(e.k)}`)
  }
}
