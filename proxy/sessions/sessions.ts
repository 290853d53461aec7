import type { Env } from '../../cluster/env.ts'
import { disconnects, unsubscribes } from '../../protocol/client/codes.ts'
import type { CloseReason } from '../../protocol/client/codes.ts'
import type { Connection } from '../transports/transport.ts'
import type { AddressLimits } from './address-limits.ts'
import { writeAll } from './backlog.ts'
import type { Output } from './output.ts'
import type { SessionIntake, Session } from './session.ts'
import { newSession } from './session.ts'
import type { Subscriptions } from './subscriptions.ts'
import { Tally } from './tally.ts'

/** The deadlines of a session, all in ms, and who ends its subscriptions. */
export interface SessionsOptions {
  pingIntervalMs: number
  pongTimeoutMs: number
  staleCloseDelayMs: number
  /** How long after its end an expired connection, and an expired subscription, is ended. */
  expiredCloseDelayMs: number
  expiredSubCloseDelayMs: number
  /** The session is over: it leaves a channel that it has. */
  leave: (session: Session, channel: string) => void
  /** What granted a subscription has ended: the session leaves the channel and is told why. */
  endSubscription: (session: Session, channel: string, reason: CloseReason) => void
}

/** How often pings, pongs and expiries are looked at; what a session's deadlines are precise to. */
export const sessionSweepMs = 500
/** A client that does not answer a close is cut off after this time. */
export const closeGraceMs = 1_000

/** All live sessions: their beginning, their end, and what time does to them. One sweep serves all. */
export class Sessions {
  /** Connections that ended, by disconnect code; `client` for those that their clients ended. */
  readonly closed = new Tally()
  readonly #env: Env
  readonly #options: SessionsOptions
  readonly #limits: AddressLimits
  readonly #all = new Map<string, Session>()
  readonly #subscriptions: Subscriptions
  readonly #output: Output

  constructor(env: Env, options: SessionsOptions, limits: AddressLimits, subscriptions: Subscriptions, output: Output) {
    this.#env = env
    this.#options = options
    this.#limits = limits
    this.#subscriptions = subscriptions
    this.#output = output
  }

  get size(): number {
    return this.#all.size
  }

  /** Undefined when the session is over. */
  find(id: string): Session | undefined {
    return this.#all.get(id)
  }

  /** A connection becomes a session; it has `staleCloseDelayMs` to say whose it is. */
  open(id: string, connection: Connection, address: string, intake: SessionIntake): Session {
    const connectBy = this.#env.clock.monotonic() + this.#options.staleCloseDelayMs
    const session = newSession({ id, connection, address, connectBy, intake })
    this.#all.set(id, session)
    this.#limits.opened(address)
    this.#env.metrics.connectionsOpened.inc({ protocol: connection.transport.name })
    this.#env.metrics.connectionsActive.inc({ protocol: connection.transport.name })
    return session
  }

  /** Called once the session's identity is known. */
  connected(session: Session): void {
    session.phase = 'connected'
    // The first ping comes at a random time, so that pings of many that connected together spread.
    const half = this.#options.pingIntervalMs / 2
    session.pingAt = this.#env.clock.monotonic() + half + this.#env.random.float() * half
  }

  /** Its token lets nobody in: it gets the answer that says so, and nothing else. */
  refused(session: Session): void {
    session.phase = 'refused'
  }

  /** Tells the client why and ends the connection. */
  close(session: Session, reason: CloseReason): void {
    if (session.phase === 'closed') return
    this.#leaveChannels(session)
    // What was gathered for it still goes out, and the push says why nothing follows.
    writeAll(session, session.phase === 'connected' ? [{ kind: 'disconnect', reason }] : [])
    this.#end(session, String(reason.code))
    session.connection.close(reason.code, reason.reason)
    this.#env.clock.after(closeGraceMs, () => session.connection.terminate())
  }

  /** The connection is gone. */
  gone(session: Session): void {
    if (session.phase === 'closed') return
    this.#leaveChannels(session)
    this.#end(session, 'client')
  }

  /** Spreads the closing of all over `jitterMs`; resolves when none is left or `deadlineMs` has passed. */
  async closeAll(reason: CloseReason, jitterMs: number, deadlineMs: number): Promise<void> {
    const { clock, random } = this.#env
    for (const session of this.#all.values()) clock.after(random.float() * jitterMs, () => this.close(session, reason))
    const end = clock.monotonic() + deadlineMs
    while (this.#all.size > 0 && clock.monotonic() < end) await clock.sleep(20)
    for (const session of this.#all.values()) session.connection.terminate()
  }

  /** False for a pong that nobody asked for. */
  pong(session: Session): boolean {
    if (session.pongBy === 0) return false
    session.pongBy = 0
    return true
  }

  /** Looks at every deadline; to be called every `sessionSweepMs`. */
  sweep(): void {
    const now = this.#env.clock.monotonic()
    for (const session of this.#all.values()) this.#look(session, now)
  }

  #look(session: Session, now: number): void {
    // Pings and pongs wait behind all that is on its way: whoever takes that is there.
    if (session.backlog !== null && session.pongBy !== 0)
      session.pongBy = Math.max(session.pongBy, session.backlog.tookAt + this.#options.pongTimeoutMs)
    if (session.phase !== 'connected') {
      if (session.connectBy <= now) this.close(session, disconnects.stale)
    } else if (session.pongBy !== 0 && session.pongBy <= now && session.intake.heldSince === 0) {
      // Of one that is held back the pong may be there, unread.
      this.close(session, disconnects.noPong)
    } else if (session.endsAt !== 0 && session.endsAt + this.#options.expiredCloseDelayMs <= now) {
      this.close(session, disconnects.expired)
    } else {
      if (session.subscriptionEnds) this.#endSubscriptions(session, session.subscriptionEnds, now)
      if (session.pingAt <= now) this.#ping(session, now)
    }
  }

  #ping(session: Session, now: number): void {
    session.pingAt = now + this.#options.pingIntervalMs
    session.pongBy = now + this.#options.pongTimeoutMs
    this.#output.ping(session)
  }

  #endSubscriptions(session: Session, ends: Map<string, number>, now: number): void {
    for (const [channel, end] of ends) {
      if (end + this.#options.expiredSubCloseDelayMs > now) continue
      ends.delete(channel)
      // What was unsubscribed since then has nothing to end.
      if (this.#subscriptions.delete(session, channel))
        this.#options.endSubscription(session, channel, unsubscribes.expired)
    }
    if (ends.size === 0) session.subscriptionEnds = null
  }

  #leaveChannels(session: Session): void {
    for (const channel of session.channels) this.#options.leave(session, channel)
    this.#subscriptions.clear(session)
  }

  #end(session: Session, code: string): void {
    session.phase = 'closed'
    this.#all.delete(session.id)
    this.#limits.closed(session.address)
    session.intake.messages = []
    session.out = []
    session.outBytes = 0
    session.backlog = null
    this.#output.forget(session)
    this.closed.inc(code)
    this.#env.metrics.connectionsClosed.inc({ code })
    this.#env.metrics.connectionsActive.dec({ protocol: session.connection.transport.name })
  }
}
