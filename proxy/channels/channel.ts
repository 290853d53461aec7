import type { SlotId } from '../../protocol/slot.ts'
import type { StreamPosition } from '../../protocol/stream.ts'
import type { Audience } from '../sessions/output.ts'
import type { Session } from '../sessions/session.ts'

/** What a session asks for when it subscribes, and what it may. */
export interface SubscribeRequest {
  /** Of the client's command. */
  id: number
  recover: StreamPosition | null
  rejectUnrecovered: boolean
  isRecoverable: boolean
  isPositioned: boolean
  /** The client asked to recover, whether it may or not. */
  wasRecovering: boolean
  history: { size: number; ttlMs: number }
  /** When the subscription ends, seconds since 1970; 0 for never. */
  expiresAt: number
}

/** A session that waits for the answer to its subscribe. Plain values, as all that is under way. */
export interface Joining extends SubscribeRequest {
  session: Session
  /** Monotonic ms. */
  startedAt: number
  deadlineAt: number
  /** What is published while its first read is under way; null before, and when that was too much. */
  live: Live | null
  /** What it reads before it is in; null when nothing is. */
  read: FirstRead | null
  /** The slot was asked because the client was ahead of this proxy. */
  hasCaughtUp: boolean
}

/** Publications that a session reads before it has joined: those after one offset up to another. */
export interface FirstRead {
  /** What was missed is to be had, or the client is ahead of this proxy and the slot is asked whether it exists. */
  for: 'recover' | 'ahead'
  after: number
  upTo: number
}

/** A session that is subscribed, and has publications of its channel up to `at` and not to the top. */
export interface Behind {
  session: Session
  at: number
  /** The top that is read up to; null while nothing is read. */
  readUpTo: number | null
  /** What is published while a read is under way. */
  live: Live | null
}

/** Publications behind a range that is being read, each as JSON. */
export interface Live {
  publications: string[]
  bytes: number
}

/** A channel of this proxy. Each of its sessions is in one of `joining`, `behind` and `sessions`. */
export interface Channel extends Audience {
  readonly name: string
  readonly slot: SlotId
  /** Number of the subscribe that opens it; null once it is open. */
  opening: number | null
  /** Monotonic ms when it opened. */
  openedAt: number
  epoch: string
  top: number
  /** Those that have everything up to the top. */
  sessions: Set<Session>
  joining: Map<Session, Joining>
  behind: Map<Session, Behind>
}

/** Bytes of publications that are kept for one session while a read is under way; beyond it they are read too. */
export const liveBytesMax = 262_144

/** Keeps a publication for one whose read ends below it. */
export function keepLive(waiting: Joining | Behind, publication: string, bytes: number): void {
  if (waiting.live === null) return
  waiting.live.publications.push(publication)
  waiting.live.bytes += bytes
  if (waiting.live.bytes > liveBytesMax) waiting.live = null
}

/** A channel that is being opened by the command of number `opening`; where it is, its slot will say. */
export function newChannel(name: string, slot: SlotId, opening: number): Channel {
  return {
    name,
    slot,
    opening,
    openedAt: 0,
    epoch: '',
    top: 0,
    sessions: new Set(),
    joining: new Map(),
    behind: new Map(),
    gathered: [],
    gatheredBytes: 0,
  }
}

/** Nobody has it or wants it: it can be closed. */
export function isEmpty({ sessions, joining, behind }: Channel): boolean {
  return sessions.size === 0 && joining.size === 0 && behind.size === 0
}
