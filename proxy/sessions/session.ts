import type { Strike } from '../../cluster/faults/faults.ts'
import type { Connection, Encoded } from '../transports/transport.ts'
import type { ClientRequest } from '../uplink/request.ts'
import type { Bucket } from './token-bucket.ts'

/** One live connection of a client: plain values, nothing about it lives in a closure or a timer of its own. */
export interface Session {
  readonly id: string
  readonly connection: Connection
  /** IP address of the client, canonical. */
  readonly address: string
  phase: 'new' | 'connected' | 'refused' | 'closed'
  user: string
  /** JSON that the token carries about the connection, or null. */
  connInfo: string | null
  /** When what the token gave ends, monotonic ms; 0 for never. */
  endsAt: number
  /** Subscriptions asked for and given; what is pending counts for permissions, since commands take effect in order. */
  channels: Set<string>
  /** Channels whose subscription ended without the client's doing, and that it is about to subscribe to again. */
  wanted: Set<string>
  /** Subscriptions that end with their token, monotonic ms; null without any. */
  subscriptionEnds: Map<string, number> | null
  intake: SessionIntake
  /** Monotonic ms; when the next ping goes, and by when its pong must be there (0: none outstanding). */
  pingAt: number
  pongBy: number
  /** Monotonic ms by which the session must be connected. */
  connectBy: number
  /** Bytes that it may read; null before the first. */
  readBudget: Bucket | null
  /** Null before the first read that it asked for. */
  reads: SessionReads | null
  /** Messages for the next frame, and their bytes. */
  out: Encoded[]
  outBytes: number
  /** What waits because the connection takes no more; null while it takes all. */
  backlog: Backlog | null
}

/** What of a session its intake keeps. */
export interface SessionIntake extends Bucket {
  /** Subscribes that cost nothing: those with which a client comes back. Over once another command has to wait. */
  freeSubscribes: number
  /** Messages that are not done, oldest first, and how much of the first is. */
  messages: string[]
  place: number
  /** Its socket is not read. */
  isPaused: boolean
  /** Since when it is held back without a break, monotonic ms; 0 when it is not. */
  heldSince: number
  /** What a fault does to the command that is next, and whether it is still to wait for that; null for nothing. */
  struck: { strike: Strike; isWaiting: boolean } | null
}

/** Of a session that begins. */
export function newIntake(burst: number, freeSubscribes: number, nowMs: number): SessionIntake {
  return {
    tokens: burst,
    at: nowMs,
    freeSubscribes,
    messages: [],
    place: 0,
    isPaused: false,
    heldSince: 0,
    struck: null,
  }
}

/** Reads that a session asked for: how many are under way, and those that wait behind them. */
export interface SessionReads {
  underWay: number
  waiting: { request: ClientRequest; deadlineAt: number }[]
}

/** What waits for a client whose connection takes no more for now. (backlog.ts). */
export interface Backlog {
  /** Frames that go first: what is left of a message that is partly written. */
  frames: Buffer[]
  /** Messages, not framed yet. */
  messages: Encoded[]
  /** Bytes of all that waits here. */
  bytes: number
  /** Bytes that the socket held when it was last looked at. */
  inSocket: number
  /** Monotonic ms when the connection last took something. */
  tookAt: number
  /** Nothing is written before, monotonic ms: a fault holds it back. */
  restsUntil: number
}

/** What a session begins with. */
export type SessionStart = Pick<Session, 'id' | 'connection' | 'address' | 'connectBy' | 'intake'>

/** A session before its connect: nobody's, in no channel, without a deadline but `connectBy`. */
export function newSession(start: SessionStart): Session {
  return {
    ...start,
    phase: 'new',
    user: '',
    connInfo: null,
    endsAt: 0,
    channels: new Set(),
    wanted: new Set(),
    subscriptionEnds: null,
    pingAt: 0,
    pongBy: 0,
    readBudget: null,
    reads: null,
    out: [],
    outBytes: 0,
    backlog: null,
  }
}

/** Notes a channel that the client subscribes to again by itself; of more than `max` the oldest is forgotten. */
export function wantAgain({ wanted }: Session, channel: string, max: number): void {
  wanted.add(channel)
  if (wanted.size > max) wanted.delete(wanted.values().next().value!)
}
