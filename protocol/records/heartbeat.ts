import type { SlotId } from '../slot.ts'
import { checkRooms, checkTally, checkWork } from './counters.ts'
import type { RoomCounters, WorkCounters } from './counters.ts'
import { FormatError } from './errors.ts'
import { checkFormats } from './formats.ts'
import type { Formats } from './formats.ts'
import { checkShape, checkTexts, shapeOf } from './shape.ts'
import type { Members, Shape } from './shape.ts'

/**
 * A worker is `starting` while it loads its app. A `draining` one takes no slot and gives its own away; a `drained` one has
 * none and leaves.
 */
export type WorkerState = 'starting' | 'live' | 'draining' | 'drained'

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

/** The configuration that a process follows, of the controller's `config` hint. */
export interface FollowedConfig {
  /** The last that it heard of. */
  revision: number
  /** Why it does not follow that, or a part of it: one line. It keeps what it had. */
  rejected?: string
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
  /** Absent before the first, and from an older version. */
  config?: FollowedConfig
  /** What it works with: proxies say their records alone, engines and an older version nothing. */
  formats?: Formats
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
  /** Of the hints that it follows, 0 before the first: it drops those of a lower term. An older version does not say it. */
  term?: number
  /** What its commands came to. An older version does not say it. */
  counters?: WorkCounters
  /** The same for some of its rooms whose counters moved, as many as there is room for: others come with later beats. */
  rooms?: RoomCounters[]
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
  /** Channels whose sessions had to recover from what a version sent, by that version. An older proxy does not say it. */
  violations?: Record<string, number>
  /** Connections that ended, by disconnect code; `client` for those whose clients went. An older proxy does not say it. */
  closed?: Record<string, number>
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

const addressShape = shapeOf({ host: 'text', port: 'count' })
const configShape = shapeOf({ revision: 'count', rejected: 'text?' })
const ownedShape = shapeOf({
  slot: 'slot',
  epoch: 'count',
  incarnation: 'count',
  nextOffset: 'count',
  waitingMs: 'number',
})

const beatShapes: Record<Heartbeat['role'], Shape> = {
  worker: shapeOf({
    state: 'text',
    slots: 'list',
    claimed: 'list',
    inFlight: 'count',
    outbox: 'count',
    term: 'count?',
    counters: 'object?',
    rooms: 'list?',
  }),
  proxy: shapeOf({
    state: 'text',
    clients: 'object?',
    generation: 'count',
    sessions: 'count',
    inboxOffset: 'count',
    violations: 'object?',
    closed: 'object?',
  }),
  controller: [],
  engine: [],
}

/** Throws FormatError unless it is a heartbeat that its readers can rely on. */
export function checkBeat(record: Members): void {
  const role = record['role'] as string
  const shape = Object.hasOwn(beatShapes, role) ? beatShapes[role as Heartbeat['role']] : undefined
  if (shape === undefined) throw new FormatError(`heartbeat of an unknown role ${role}`)
  checkShape(record, shape, 'heartbeat')
  checkShape(record['internal'], addressShape, 'internal')
  if (record['config']) checkShape(record['config'], configShape, 'config')
  if (record['formats']) checkFormats(record['formats'])
  if (role === 'worker') {
    checkTexts(record['claimed'], 'claimed')
    for (const slot of record['slots'] as unknown[]) checkShape(slot, ownedShape, 'slot')
    if (record['counters']) checkWork(record['counters'])
    if (record['rooms']) checkRooms(record['rooms'] as unknown[])
  } else if (role === 'proxy') {
    if (record['clients']) checkShape(record['clients'], addressShape, 'clients')
    if (record['violations']) checkTally(record['violations'], 'violations')
    if (record['closed']) checkTally(record['closed'], 'closed')
  }
}
