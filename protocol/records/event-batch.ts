import type { SlotId } from '../slot.ts'
import { emptyPayload, encodeEnvelopeText } from './envelope.ts'
import { FormatError } from './errors.ts'
import { describeEvent, eventShape, restoreEvent } from './event.ts'
import type { EventHeader, SlotEvent } from './event.ts'
import { checkShape, shapeOf } from './shape.ts'
import type { Members } from './shape.ts'
import { jsonBytes, recordBytesMax, recordOverheadBytes } from './sizes.ts'

/**
 * What a worker tells proxies: a batch of events of one slot in one record, for the instances named in it. Bodies
 * are JSON texts that the worker serialised once; a proxy frames them and never parses them.
 */

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

/** A record of events, and the instances that it is for. */
export interface EventPart {
  /** All of them read the same inbox partition. */
  to: string[]
  /** Encoded. */
  value: Buffer
}

type Head = Omit<EventBatch, 'type' | 'events'>

const envelopeBytes = 5

/**
 * Cuts the events of a batch into as few records as hold them, each of `bytesMax` at most as it is encoded. An event for
 * so many instances that one record does not hold it goes in several. Only what is too large for a single instance makes
 * a larger record.
 */
export function encodeParts(head: Head, events: SlotEvent[], bytesMax = recordBytesMax): EventPart[] {
  const parts: EventPart[] = []
  let part = new OpenPart(head, bytesMax)
  const cut = () => {
    if (!part.isEmpty) parts.push(part.encode())
    part = new OpenPart(head, bytesMax)
  }
  const add = (event: SlotEvent) => {
    if (part.add(event)) return
    cut()
    if (part.add(event)) return
    if (event.to.length <= 1) return part.addAnyway(event)
    const middle = event.to.length >> 1
    add({ ...event, to: event.to.slice(0, middle) })
    add({ ...event, to: event.to.slice(middle) })
  }
  for (const event of events) add(event)
  cut()
  return parts
}

/** A record that is still being filled; each event is encoded once, and so measured exactly. */
class OpenPart {
  readonly #start: string
  readonly #bytesMax: number
  /** Instances and their indices in the record. */
  readonly #to = new Map<string, number>()
  readonly #events: string[] = []
  readonly #bodies: Buffer[] = []
  #bytes: number

  constructor({ slot, incarnation: inc, worker: w, version: v }: Head, bytesMax: number) {
    this.#start = JSON.stringify({ type: 'events', slot, inc, w, v }).slice(0, -1)
    this.#bytesMax = bytesMax
    this.#bytes = recordOverheadBytes + envelopeBytes + Buffer.byteLength(this.#header())
  }

  get isEmpty(): boolean {
    return this.#events.length === 0
  }

  /** False when it does not fit. */
  add(event: SlotEvent): boolean {
    return this.#add(event, this.#bytesMax)
  }

  addAnyway(event: SlotEvent): void {
    this.#add(event, Infinity)
  }

  encode(): EventPart {
    return { to: [...this.#to.keys()], value: encodeEnvelopeText(this.#header(), this.#bodies) }
  }

  #add(event: SlotEvent, bytesMax: number): boolean {
    const known = this.#to.size
    const fresh: string[] = []
    const to = event.to.map((instance) => this.#to.get(instance) ?? known + fresh.push(instance) - 1)
    const text = JSON.stringify(describeEvent(event, to))
    const body = 'body' in event ? event.body : emptyPayload
    let bytes = this.#bytes + Buffer.byteLength(text) + 1 + body.length
    for (const instance of fresh) bytes += jsonBytes(instance) + 1
    if (bytes > bytesMax) return false
    this.#bytes = bytes
    for (const instance of fresh) this.#to.set(instance, this.#to.size)
    this.#events.push(text)
    if (body.length > 0) this.#bodies.push(body)
    return true
  }

  #header(): string {
    return `${this.#start},"to":${JSON.stringify([...this.#to.keys()])},"events":[${this.#events.join(',')}]}`
  }
}

const batchShape = shapeOf({ slot: 'slot', inc: 'count', w: 'text', v: 'text', to: 'list', events: 'list' })

/** The inverse of encodeParts for one record: the events that are for `instance`, which its header names. Throws FormatError. */
export function decodeBatch(header: Members, payload: Buffer, instance: string): EventBatch {
  checkShape(header, batchShape, 'events')
  const mine = (header['to'] as string[]).indexOf(instance)
  const events: SlotEvent[] = []
  let at = 0
  for (const event of header['events'] as unknown[]) {
    checkShape(event, eventShape, 'event')
    const e = event as EventHeader
    if (e.l < 0 || at + e.l > payload.length) throw new FormatError('event is cut short')
    const body = payload.subarray(at, at + e.l)
    at += e.l
    if (e.to.includes(mine)) events.push(restoreEvent(e, body, instance))
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
