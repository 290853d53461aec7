import type { Announced, SlotId } from '../store/store.ts'

/** What processes announce on the status topic, and what the controller hints on the control topic. Plain JSON. */

export type WorkerState = 'live' | 'draining' | 'drained'
export type ProxyState = 'starting' | 'live' | 'isolated' | 'draining'

export interface Address {
  host: string
  port: number
}

/** A slot as its owner reports it. */
export interface OwnedSlot {
  slot: SlotId
  epoch: number
  incarnation: number
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

export interface WorkerBeat extends Beat {
  role: 'worker'
  state: WorkerState
  slots: OwnedSlot[]
  /** Slots that it is taking over, or that stand halted: nobody need look after them. */
  claimed: SlotId[]
  /** Records read and not yet committed, and outbox rows not yet acknowledged. */
  inFlight: number
  outbox: number
}

export interface ProxyBeat extends Beat {
  role: 'proxy'
  state: ProxyState
  generation: number
  sessions: number
  /** Next offset to read of its inbox partition. */
  inboxOffset: number
}

export interface ControllerBeat extends Beat {
  role: 'controller'
}

/** Without state of its own: it is only to be found. */
export interface EngineBeat extends Beat {
  role: 'engine'
}

export type Heartbeat = WorkerBeat | ProxyBeat | ControllerBeat | EngineBeat

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
      announced: Announced | null
    }
  | { type: 'drain'; term: number; worker: string }

export function encodeJson(value: StatusRecord | ControlRecord): Buffer {
  return Buffer.from(JSON.stringify(value))
}

export function decodeStatus(value: Buffer): StatusRecord {
  return JSON.parse(value.toString()) as StatusRecord
}

export function decodeControl(value: Buffer): ControlRecord {
  return JSON.parse(value.toString()) as ControlRecord
}
