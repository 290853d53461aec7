import type { CommandError } from '../client/codes.ts'
import type { TraceContext } from '../trace.ts'
import { FormatError } from './errors.ts'
import { commandErrorOf, traced } from './members.ts'
import { checkShape, shapeOf } from './shape.ts'
import type { Shape } from './shape.ts'

/** Where an event stands, and whom it is for. */
interface EventPlace {
  /** Of the command that it comes from, in the slot's log. */
  offset: number
  /** Among the events of that command. */
  index: number
  /** Instances. */
  to: string[]
  /** Of the command. */
  trace?: TraceContext | undefined
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

/** How an event stands in the header of its record; its body stands in the payload. */
export interface EventHeader {
  /** Kind. */
  k: SlotEvent['kind']
  /** Offset. */
  o: number
  /** Index. */
  x: number
  /** Indices into the batch's `to`. */
  to: number[]
  /** Bytes of the body. */
  l: number
  /** Trace context. */
  tp?: TraceContext | undefined
  [member: string]: unknown
}

/** What every event in a header has; restoreEvent looks at the rest. */
export const eventShape = shapeOf({ k: 'text', to: 'list', l: 'count', o: 'count', x: 'count' })
const eventShapes: Record<SlotEvent['kind'], Shape> = {
  publication: shapeOf({ c: 'text', e: 'text', t: 'count', at: 'count' }),
  subscribed: shapeOf({ n: 'count', c: 'text', e: 'text', t: 'count' }),
  reply: shapeOf({ n: 'count', err: 'object?' }),
  tops: shapeOf({ n: 'count', tops: 'list' }),
}
const topShape = shapeOf({ channel: 'text', epoch: 'text', top: 'count' })

/** An event as the record's header has it, for the instances at these indices of the header's list. */
export function describeEvent(event: SlotEvent, to: number[]): EventHeader {
  // One that is undefined is not in the JSON.
  const base = { k: event.kind, o: event.offset, x: event.index, to, tp: event.trace }
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

/** The inverse of describeEvent, for one of its instances. Throws FormatError. */
export function restoreEvent(e: EventHeader, body: Buffer, instance: string): SlotEvent {
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
      return { kind: 'reply', ...base, n, error: commandErrorOf(e['err']), body }
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
