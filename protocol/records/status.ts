import type { SlotPlace, SlotId } from '../slot.ts'
import { FormatError } from './errors.ts'
import { checkShape, checkTexts, shapeOf } from './shape.ts'
import type { Members, Shape } from './shape.ts'

/** What processes announce on the status topic, and what the controller hints on the control topic. Plain JSON. */

/** A `draining` worker takes no slot and gives its own away; a `drained` one has none and leaves. */
export type WorkerState = 'live' | 'draining' | 'drained'

/**
 * A proxy is `starting` until it reads its inbox, `isolated` while it cannot see its own heartbeats, `draining` while
 * it tells its clients to go.
 */
export type ProxyState = 'starting' | 'live' | 'isolated' | 'draining'

/** Where others reach a listener: a name or an address without a port, and the port. */
export interface Address {
  /** An IPv6 address stands without brackets. */
  host: string
  /** From 1 to 65535. */
  port: number
}

/** A slot as its owner reports it. */
export interface OwnedSlot {
  /** One that it holds the lease of. */
  slot: SlotId
  /** Of that lease: it tells this ownership from all others. */
  epoch: number
  /** As in SlotPlace. */
  incarnation: number
  /** As in SlotPlace. */
  nextOffset: number
  /** Milliseconds for which records have been waiting without a commit; 0 when none wait. */
  waitingMs: number
}

interface Beat {
  type: 'heartbeat'
  id: string
  pid: number
  version: string
  /** Where health, readiness and metrics are served. */
  internal: Address
  /** Rises with each beat of this process. */
  beat: number
}

/** What a worker owns and how much it has in hand. */
export interface WorkerBeat extends Beat {
  role: 'worker'
  /** Only a live one is given slots. */
  state: WorkerState
  /** All that it owns. */
  slots: OwnedSlot[]
  /** Slots that it is taking over, or that stand halted: nobody need look after them. */
  claimed: SlotId[]
  /** Records read and not yet committed, and outbox rows not yet acknowledged. */
  inFlight: number
  /** Outbox rows that are not known to be in the log. */
  outbox: number
}

/** Where a proxy is reached and how far it has read. */
export interface ProxyBeat extends Beat {
  role: 'proxy'
  /** Only a live one takes new clients. */
  state: ProxyState
  /** Where it listens for clients; null before it does. */
  clients: Address | null
  /** It numbers its commands as the producer `id.generation`. */
  generation: number
  /** Clients that are connected. */
  sessions: number
  /** Next offset to read of its inbox partition. */
  inboxOffset: number
}

/** A controller lives, whether it leads or not. */
export interface ControllerBeat extends Beat {
  role: 'controller'
}

/** Without state of its own: it is only to be found. */
export interface EngineBeat extends Beat {
  role: 'engine'
}

/** Sent again and again by every process; whoever is silent for too long counts as dead. */
export type Heartbeat = WorkerBeat | ProxyBeat | ControllerBeat | EngineBeat

/** What processes announce: heartbeats on their own topic, everything else on the status topic. */
export type StatusRecord =
  | Heartbeat
  /** The successor of a slot has its state and follows its log. */
  | { type: 'warmed'; slot: SlotId; epoch: number; worker: string }
  /** The owner has committed, emptied its outbox and let go. `stoppedAt` is its clock, ms. */
  | { type: 'released'; slot: SlotId; epoch: number; worker: string; stoppedAt: number }
  /** `planned` when `from` let go; `takeover` when it was fenced, or there was nobody. */
  | {
      type: 'acquired'
      slot: SlotId
      epoch: number
      worker: string
      from: string | null
      kind: 'planned' | 'takeover'
      pauseMs: number
    }
  /** The slot stands still until a person resets it; `reason` is one line for that person. */
  | { type: 'halted'; slot: SlotId; worker: string; reason: string }
  /** A process ends; nobody needs to wait for its heartbeats. */
  | { type: 'left'; role: Heartbeat['role']; id: string }

/** Hints, ordered by term: a reader drops what has a lower term than it has seen. */
export type ControlRecord =
  /** `epoch` is the lease's before the move; `from` null means: do not wait for anybody; `to` null: let go. */
  | {
      type: 'move'
      term: number
      slot: SlotId
      epoch: number
      from: string | null
      to: string | null
      /** The furthest that an owner has announced: a store that is behind it went back in time. */
      announced: SlotPlace | null
    }
  | { type: 'drain'; term: number; worker: string }

const typeShape = shapeOf({ type: 'text' })
const addressShape = shapeOf({ host: 'text', port: 'count' })
const announcedShape = shapeOf({ incarnation: 'count', nextOffset: 'count' })
const ownedShape = shapeOf({
  slot: 'slot',
  epoch: 'count',
  incarnation: 'count',
  nextOffset: 'count',
  waitingMs: 'number',
})

const statusShapes: Record<StatusRecord['type'], Shape> = {
  heartbeat: shapeOf({ role: 'text', id: 'text', pid: 'count', version: 'text', internal: 'object', beat: 'count' }),
  warmed: shapeOf({ slot: 'slot', epoch: 'count', worker: 'text' }),
  released: shapeOf({ slot: 'slot', epoch: 'count', worker: 'text', stoppedAt: 'number' }),
  acquired: shapeOf({ slot: 'slot', epoch: 'count', worker: 'text', from: 'text?', kind: 'text', pauseMs: 'number' }),
  halted: shapeOf({ slot: 'slot', worker: 'text', reason: 'text' }),
  left: shapeOf({ role: 'text', id: 'text' }),
}

const beatShapes: Record<Heartbeat['role'], Shape> = {
  worker: shapeOf({ state: 'text', slots: 'list', claimed: 'list', inFlight: 'count', outbox: 'count' }),
  proxy: shapeOf({ state: 'text', clients: 'object?', generation: 'count', sessions: 'count', inboxOffset: 'count' }),
  controller: [],
  engine: [],
}

const controlShapes: Record<ControlRecord['type'], Shape> = {
  move: shapeOf({ term: 'count', slot: 'slot', epoch: 'count', from: 'text?', to: 'text?', announced: 'object?' }),
  drain: shapeOf({ term: 'count', worker: 'text' }),
}

/** The record of an announcement or a hint: plain JSON without an envelope. */
export function encodeJson(value: StatusRecord | ControlRecord): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/**
 * The inverse of encodeJson for an announcement. Throws FormatError when it is not JSON, of a type that nobody knows,
 * or lacks what its readers rely on.
 */
export function decodeStatus(value: Buffer): StatusRecord {
  const record = decodeJson(value, statusShapes)
  if (record['type'] === 'heartbeat') checkBeat(record)
  return record as unknown as StatusRecord
}

/** The inverse of encodeJson for a hint. Throws FormatError, as decodeStatus does. */
export function decodeControl(value: Buffer): ControlRecord {
  const record = decodeJson(value, controlShapes)
  if (record['announced']) checkShape(record['announced'], announcedShape, 'announced')
  return record as unknown as ControlRecord
}

function decodeJson(value: Buffer, shapes: Readonly<Record<string, Shape>>): Members {
  let record: unknown
  try {
    record = JSON.parse(value.toString())
  } catch (cause) {
    throw new FormatError('record is not JSON', { cause })
  }
  checkShape(record, typeShape, 'record')
  const type = record['type'] as string
  const shape = Object.hasOwn(shapes, type) ? shapes[type] : undefined
  if (shape === undefined) throw new FormatError(`unknown record ${type}`)
  checkShape(record, shape, type)
  return record
}

function checkBeat(record: Members): void {
  const role = record['role'] as string
  const shape = Object.hasOwn(beatShapes, role) ? beatShapes[role as Heartbeat['role']] : undefined
  if (shape === undefined) throw new FormatError(`heartbeat of an unknown role ${role}`)
  checkShape(record, shape, 'heartbeat')
  checkShape(record['internal'], addressShape, 'internal')
  if (role === 'worker') {
    checkTexts(record['claimed'], 'claimed')
    for (const slot of record['slots'] as unknown[]) checkShape(slot, ownedShape, 'slot')
  } else if (role === 'proxy' && record['clients']) checkShape(record['clients'], addressShape, 'clients')
}
