import type { SlotId } from '../slot.ts'
import { decodeEnvelope, encodeEnvelope, emptyPayload } from './envelope.ts'
import { FormatError } from './errors.ts'
import { traceContextOf } from '../trace.ts'
import type { TraceContext } from '../trace.ts'
import { checkShape, checkTexts, shapeOf } from './shape.ts'
import type { Members, Shape } from './shape.ts'
import { recordBytesMax } from './sizes.ts'
import type { CommandError } from '../client/codes.ts'

/**
 * What a worker tells proxies: a batch of events of one slot in one record, for the instances named in it. Bodies
 * are JSON texts that the worker serialised once; a proxy frames them and never parses them.
 */

/** Where an event stands, and whom it is for. */
interface EventPlace {
  /** Of the command that it comes from, in the slot's log. */
  offset: number
  /** Among the events of that command. */
  index: number
  /** Instances. */
  to: string[]
  /** Of the command. */
  trace?: TraceContext
}

/** Events that carry a position are delivered once and in order; each is for some of the batch's instances. */
export type SlotEvent = EventPlace &
  (
    | {
        kind: 'publication'
        channel: string
        epoch: string
        /** Channel offset. */
        top: number
        /** When the message was accepted, ms. */
        time: number
        body: Buffer
      }
    | { kind: 'subscribed'; n: number; channel: string; epoch: string; top: number }
    /** Answer of a write; `error` instead of a body when it had no effect. */
    | { kind: 'reply'; n: number; error: CommandError | null; body: Buffer }
    /** Epoch and top of channels at this very position. */
    | { kind: 'tops'; n: number; tops: Top[] }
  )

/** Where a channel's stream is: its epoch and the offset of its newest publication. */
export type Top = [channel: string, epoch: string, top: number]

/**
 * Events of one slot, of one incarnation, in order. The positions of different batches may repeat, never contradict.
 */
export interface EventBatch {
  type: 'events'
  /** Whose commands the events come from. */
  slot: SlotId
  /** Of the slot, when they were handled. */
  incarnation: number
  /** Who handled the commands, and with which version: shown to clients, and by metrics. */
  worker: string
  /** Version of that worker. */
  version: string
  /** In the order of their positions. */
  events: SlotEvent[]
}

/** Out of band: answer of a read, without a position. */
export interface AnswerRecord {
  type: 'answer'
  /** The slot that was asked. */
  slot: SlotId
  /** The instance that asked. */
  to: string
  /** Number of the command that is answered. */
  n: number
  /** Who answers: parts of two answers are told apart by it. */
  worker: string
  /** Version of that worker. */
  version: string
  /** Set in place of a body. */
  error: CommandError | null
  /** Which bytes of a large answer these are; null when `body` is all of it. */
  part: AnswerPart | null
  /** Of the command. */
  trace?: TraceContext
  /** JSON of the method's result; empty with an error. */
  body: Buffer
}

/** Where a part of an answer begins, and the bytes of the whole. */
export interface AnswerPart {
  /** Bytes before it. */
  from: number
  /** Bytes of all parts. */
  of: number
}

/** Control: positions of this slot are insufficient for the instances named. */
export interface ResyncRecord {
  type: 'resync'
  /** What it emitted was taken out of lanes that were full. */
  slot: SlotId
  /** Instances that have missed something. */
  to: string[]
}

/** Control: this instance was declared dead. */
export interface RetiredRecord {
  type: 'retired'
  /** It closes its sessions and ends; its process starts anew under another name. */
  to: string
}

/** All that stands in an inbox partition. */
export type InboxRecord = EventBatch | AnswerRecord | ResyncRecord | RetiredRecord

interface EventHeader {
  k: SlotEvent['kind']
  o: number
  x: number
  /** Indices into the batch's `to`. */
  to: number[]
  l: number
  tp?: TraceContext
  [member: string]: unknown
}

/** An event as the record's header has it, for the instances at these indices of the header's list. */
export function describeEvent(event: SlotEvent, to: number[]): EventHeader {
  const { trace } = event
  const base = { k: event.kind, o: event.offset, x: event.index, to, ...(trace !== undefined && { tp: trace }) }
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

/** The record of an answer, or of one part of it. */
export function encodeAnswer(answer: AnswerRecord): Buffer {
  const { body, part, ...header } = answer
  return encodeEnvelope(part === null ? header : { ...header, part }, body)
}

/** The record of a control message; it has no payload. */
export function encodeNotice(record: ResyncRecord | RetiredRecord): Buffer {
  return encodeEnvelope(record, emptyPayload)
}

const typeShape = shapeOf({ type: 'text' })
const shapes: Record<InboxRecord['type'], Shape> = {
  events: shapeOf({ slot: 'slot', inc: 'count', w: 'text', v: 'text', to: 'list', events: 'list' }),
  answer: shapeOf({ slot: 'slot', n: 'count', worker: 'text', version: 'text', error: 'object?', part: 'object?' }),
  resync: shapeOf({ slot: 'slot', to: 'list' }),
  retired: [],
}

const eventShape = shapeOf({ k: 'text', to: 'list', l: 'count', o: 'count', x: 'count' })
const eventShapes: Record<SlotEvent['kind'], Shape> = {
  publication: shapeOf({ c: 'text', e: 'text', t: 'count', at: 'count' }),
  subscribed: shapeOf({ n: 'count', c: 'text', e: 'text', t: 'count' }),
  reply: shapeOf({ n: 'count', err: 'object?' }),
  tops: shapeOf({ n: 'count', tops: 'list' }),
}
const topShape = shapeOf({ channel: 'text', epoch: 'text', top: 'count' })
const partShape = shapeOf({ from: 'count', of: 'count' })
const errorShape = shapeOf({ code: 'count', message: 'text' })

/**
 * Decodes what is for `instance`: null when nothing in the record is. Events for other instances are left out.
 * Throws FormatError.
 */
export function decodeInbox(value: Buffer, instance: string): InboxRecord | null {
  const { header, payload } = decodeEnvelope(value)
  checkShape(header, typeShape, 'record')
  const { type, to } = header
  if (!Object.hasOwn(shapes, type as string)) throw new FormatError('record is not for an inbox')
  const isForUs = Array.isArray(to) ? to.includes(instance) : to === instance
  if (!isForUs) return null
  checkShape(header, shapes[type as InboxRecord['type']], type as string)
  const slot = header['slot'] as SlotId
  switch (type as InboxRecord['type']) {
    case 'events':
      return decodeEvents(header, payload, (to as string[]).indexOf(instance), instance)
    case 'answer':
      return {
        type: 'answer',
        slot,
        to: instance,
        n: header['n'] as number,
        worker: header['worker'] as string,
        version: header['version'] as string,
        error: errorOf(header['error']),
        part: partOf(header['part'], payload),
        ...traced(header['trace']),
        body: payload,
      }
    case 'resync':
      checkTexts(to, 'resync: to')
      return { type: 'resync', slot, to }
    case 'retired':
      return { type: 'retired', to: instance }
  }
}

function traced(value: unknown): { trace?: TraceContext } {
  const trace = traceContextOf(value)
  return trace === undefined ? {} : { trace }
}

function errorOf(value: unknown): CommandError | null {
  if (value === undefined || value === null) return null
  checkShape(value, errorShape, 'error')
  return value as unknown as CommandError
}

function partOf(value: unknown, { length }: Buffer): AnswerPart | null {
  if (value === undefined || value === null) return null
  checkShape(value, partShape, 'part')
  const { from, of } = value as unknown as AnswerPart
  if (from < 0 || length === 0 || from + length > of || of > recordBytesMax) {
    throw new FormatError('part: not of the answer that it is said to be of')
  }
  return { from, of }
}

function decodeEvents(header: Members, payload: Buffer, mine: number, instance: string): EventBatch {
  const events: SlotEvent[] = []
  let at = 0
  for (const event of header['events'] as unknown[]) {
    checkShape(event, eventShape, 'event')
    const e = event as EventHeader
    if (e.l < 0 || at + e.l > payload.length) throw new FormatError('event is cut short')
    const body = payload.subarray(at, at + e.l)
    at += e.l
    if (e.to.includes(mine)) events.push(restore(e, body, instance))
  }
  return {
    type: 'events',
    slot: header['slot'] as SlotId,
    incarnation: header['inc'] as number,
    worker: header['w'] as string,
    version: header['v'] as string,
    events,
  }
}

function restore(e: EventHeader, body: Buffer, instance: string): SlotEvent {
  if (!Object.hasOwn(eventShapes, e.k)) throw new FormatError(`unknown event ${e.k}`)
  checkShape(e, eventShapes[e.k], e.k)
  const base = { offset: e.o, index: e.x, to: [instance], ...traced(e.tp) }
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
      return { kind: 'reply', ...base, n, error: errorOf(e['err']), body }
    case 'tops':
      return { kind: 'tops', ...base, n, tops: topsOf(e['tops'] as unknown[]) }
  }
}

function topsOf(list: unknown[]): Top[] {
  for (const each of list) {
    const [channel, epoch, top] = Array.isArray(each) ? (each as unknown[]) : []
    checkShape({ channel, epoch, top }, topShape, 'top')
  }
  return list as Top[]
}
