import type { Env } from '../../cluster/env.ts'
import type { Struck } from '../../cluster/faults/matching.ts'
import { disconnects } from '../../protocol/client/codes.ts'
import type { CloseReason } from '../../protocol/client/codes.ts'
import type { ServerMessage } from '../../protocol/client/message.ts'
import type { Encoded, Transport } from '../transports/transport.ts'
import { messageBytesMax, putBack, queuedBytes, socketBytesMax, takesMore, writeOn } from './backlog.ts'
import type { Session } from './session.ts'

/** Publications of one channel that wait to be written to the same sessions. */
export interface Audience {
  readonly name: string
  readonly sessions: Iterable<Session>
  /** What they are to get. */
  gathered: ServerMessage[]
  /** Of what those messages bring. */
  gatheredBytes: number
}

/** What a slow client may cost, and who is told that it takes nothing, too little, or has room again. */
export interface OutputOptions {
  /** Bytes that may wait for one session before what can be had again later is held back. */
  queueMaxBytes: number
  /** A connection that takes nothing for so long, with more than that waiting, is given up. */
  stallMs: number
  close: (session: Session, reason: CloseReason) => void
  /** Too much waits for the session: it gets neither the last `waits` publications of this audience nor what follows. */
  overflowed: (session: Session, audience: string, waits: number) => void
  /** The connection of a session that wants room has taken all that it was given. */
  room: (session: Session) => void
  /** What a fault may be limited by of what an audience gets. */
  placeOf: (audience: string) => Pick<Struck, 'channel' | 'group'>
}

/**
 * What a write costs is the kernel's work, for one publication as for ten. After writing for so long, output rests for as
 * long, times this; what comes meanwhile goes in one write. A few sessions take microseconds, and nobody waits.
 */
export const restShare = 2.5

/** Rest at most. */
export const restMsMax = 25

/** How often connections that take no more are looked at, while there are any. */
export const backlogLookMs = 10

/**
 * What may wait above `queueMaxBytes`: an answer that was asked for before (as large as a record of the log), and what is
 * never held back, replies of writes above all. Who has still more waiting is closed at once.
 */
export const overshootBytesMax = 1_048_576

/**
 * Gathers what goes out within one turn (one inbox batch, one client frame) and writes it at the turn's end, so that
 * each session gets one frame and one write for it. What all sessions of a channel get is framed once, and no work
 * is done per session but the write.
 *
 * What a connection does not take waits with its session, and is written as it takes it. Slow is who makes no progress,
 * not who was just given much.
 */
export class Output {
  readonly #env: Env
  readonly #options: OutputOptions
  #sessions = new Set<Session>()
  #audiences = new Set<Audience>()
  #written: (() => void)[] = []
  readonly #pings = new Map<Transport, Buffer>()
  #isScheduled = false
  /** Monotonic ms. */
  #restUntil = 0
  /** Sessions with a backlog. */
  readonly #behind = new Set<Session>()
  /** Connections are being looked at. */
  #isWatching = false
  /** Sessions that are to be given more once all that they were given is with their connections. */
  readonly #roomWanted = new Set<Session>()

  constructor(env: Env, options: OutputOptions) {
    this.#env = env
    this.#options = options
  }

  /** For one session, before anything of its channels that is gathered later. */
  send(session: Session, message: ServerMessage): void {
    if (session.phase === 'closed') return
    if (this.#env.faults.isSet) this.#meetFaults(session, {})
    this.#queue(session, message)
  }

  #queue(session: Session, message: ServerMessage): void {
    const { transport } = session.connection
    const encoded = transport.encode(message)
    this.#add(session, [encoded], transport.bytesOf(encoded))
  }

  /** For all sessions of a channel; `bytes` are what the message brings. */
  publish(audience: Audience, message: ServerMessage, bytes: number): void {
    audience.gathered.push(message)
    audience.gatheredBytes += bytes
    this.#audiences.add(audience)
    if (audience.gatheredBytes >= messageBytesMax) this.settle(audience)
    else this.#schedule()
  }

  /** A ping, in one frame that all share unless more waits for the session. */
  ping(session: Session): void {
    const { connection } = session
    if (session.out.length === 0 && takesMore(session)) connection.write(this.#pingFrame(connection.transport))
    else if (session.phase !== 'closed') this.#queue(session, ping)
  }

  /** Sends what a channel gathered to its sessions as they are now: to be called before its audience changes. */
  settle(audience: Audience): void {
    if (this.#audiences.delete(audience)) this.#broadcast(audience, false)
  }

  /** Calls `done` once all that was given so far is written: for measuring, as output may rest before. */
  whenWritten(done: () => void): void {
    if (this.#isScheduled) this.#written.push(done)
    else done()
  }

  /** More waits for the session than should: what it can ask for again is held back. */
  isFull(session: Session): boolean {
    return queuedBytes(session) > this.#options.queueMaxBytes
  }

  /** There is room for another page of what a client asked for before it is to wait for the rest. */
  hasRoom(session: Session): boolean {
    return queuedBytes(session) < socketBytesMax
  }

  /**
   * `room` is called once the connection of the session has taken all that it was given: never before the turn ends, as
   * who asks may be about to give it more. The wish ends with the session.
   */
  wantRoom(session: Session): void {
    this.#roomWanted.add(session)
    queueMicrotask(() => this.#roomFor(session))
    this.#watch()
  }

  /** The session is over. */
  forget(session: Session): void {
    this.#behind.delete(session)
    this.#roomWanted.delete(session)
  }

  #add(session: Session, messages: Encoded[], bytes: number): void {
    session.out.push(...messages)
    session.outBytes += bytes
    this.#sessions.add(session)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    const { clock, metrics } = this.#env
    const restMs = this.#restUntil - clock.monotonic()
    if (restMs < 1) return queueMicrotask(() => this.#flush())
    metrics.outputRest.inc(restMs / 1_000)
    clock.after(restMs, () => this.#flush())
  }

  #flush(): void {
    const { clock } = this.#env
    const start = clock.monotonic()
    const audiences = this.#audiences
    this.#audiences = new Set()
    for (const audience of audiences) this.#broadcast(audience, audiences.size === 1)
    const sessions = this.#sessions
    const written = this.#written
    this.#written = []
    this.#sessions = new Set()
    // What follows may leave something for the next time.
    this.#isScheduled = false
    for (const session of sessions) this.#flushOne(session, start)
    const end = clock.monotonic()
    this.#restUntil = end + Math.min((end - start) * restShare, restMsMax)
    for (const done of written) done()
  }

  #flushOne(session: Session, nowMs: number): void {
    const { out, outBytes } = session
    if (session.phase === 'closed') return
    session.out = []
    session.outBytes = 0
    if (outBytes <= messageBytesMax && takesMore(session)) {
      session.connection.write(session.connection.transport.frame(out))
      return this.#roomFor(session)
    }
    putBack(session, out, outBytes, nowMs)
    this.#writeOn(session, nowMs)
    if (queuedBytes(session) > this.#options.queueMaxBytes + overshootBytesMax) this.#closeSlow(session)
  }

  /** Whoever gets nothing else this time shares the very bytes with the others on the same transport. */
  #broadcast(audience: Audience, isOnly: boolean): void {
    const { gathered } = audience
    audience.gathered = []
    audience.gatheredBytes = 0
    const made = new Map<Transport, Broadcast>()
    let broadcast: Broadcast | null = null
    for (const session of audience.sessions) {
      const { transport } = session.connection
      // Nearly always the one of the session before.
      if (broadcast?.transport !== transport)
        broadcast = made.getOrInsertComputed(transport, () => encodeAll(transport, gathered))
      if (this.#env.faults.isSet) this.#meetFaults(session, this.#options.placeOf(audience.name))
      const isAlone = session.out.length === 0 && (isOnly || session.channels.size === 1)
      if (isAlone && takesMore(session)) session.connection.write(broadcast.frame)
      else if (this.isFull(session)) this.#options.overflowed(session, audience.name, gathered.length)
      else this.#add(session, broadcast.messages, broadcast.bytes)
    }
  }

  #pingFrame(transport: Transport): Buffer {
    return this.#pings.getOrInsertComputed(transport, () => transport.frame([transport.encode(ping)]))
  }

  #writeOn(session: Session, nowMs: number): void {
    writeOn(session, nowMs)
    if (session.backlog === null) {
      this.#behind.delete(session)
      return this.#roomFor(session)
    }
    this.#behind.add(session)
    this.#watch()
  }

  #watch(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    this.#env.clock.after(backlogLookMs, () => this.#lookAtConnections())
  }

  /** A look every few milliseconds, and only while somebody is slow: no connection needs a listener of its own. */
  #lookAtConnections(): void {
    this.#isWatching = false
    const now = this.#env.clock.monotonic()
    for (const session of this.#behind) {
      const isStalled = session.backlog !== null && session.backlog.tookAt + this.#options.stallMs <= now
      this.#writeOn(session, now)
      const { backlog } = session
      if (isStalled && backlog !== null && backlog.tookAt !== now && this.isFull(session)) this.#closeSlow(session)
    }
    for (const session of this.#roomWanted) this.#roomFor(session)
    if (this.#behind.size > 0 || this.#roomWanted.size > 0) this.#watch()
  }

  #roomFor(session: Session): void {
    if (!this.#roomWanted.has(session) || session.out.length > 0 || !takesMore(session)) return
    this.#roomWanted.delete(session)
    this.#options.room(session)
  }

  /** What befalls the next message to a session: it waits with all that follows it, or the connection ends. */
  #meetFaults(session: Session, place: Pick<Struck, 'channel' | 'group'>): void {
    const { faults, clock } = this.#env
    const strike = faults.strike('proxy.onSend', [{ ...place, user: session.user }], { of: session.user })
    if (strike === null) return
    if (strike.isKilled) faults.kill(strike.fault)
    const { delayMs, abort } = strike
    const now = clock.monotonic()
    if (delayMs > 0) {
      const backlog = putBack(session, [], 0, now)
      backlog.restsUntil = Math.max(backlog.restsUntil, now + delayMs)
      this.#behind.add(session)
      this.#watch()
    }
    if (abort === null) return
    const reason = { code: abort.wsCloseCode ?? disconnects.forceReconnect.code, reason: `fault ${strike.fault}` }
    // Not while its channels are gone through.
    queueMicrotask(() => this.#options.close(session, reason))
  }

  #closeSlow(session: Session): void {
    this.#env.metrics.slowConsumers.inc()
    this.#options.close(session, disconnects.slow)
  }
}

const ping: ServerMessage = { kind: 'ping' }

/** What one transport makes of messages. */
interface Broadcast {
  transport: Transport
  messages: Encoded[]
  bytes: number
  frame: Buffer
}

function encodeAll(transport: Transport, gathered: ServerMessage[]): Broadcast {
  const messages = gathered.map((message) => transport.encode(message))
  const bytes = messages.reduce((sum, each) => sum + transport.bytesOf(each), 0)
  return { transport, messages, bytes, frame: transport.frame(messages) }
}
