import type { Env } from '../platform/env.ts'
import { disconnects } from '../protocol/codes.ts'
import { textFrame } from './socket.ts'
import type { Session } from './session.ts'

/** Publications of one channel that wait to be written to the same sessions. */
export interface Audience {
  readonly sessions: Iterable<Session>
  pieces: string[]
}

/**
 * Gathers what goes out within one turn (one inbox batch, one client frame) and writes it at the turn's end, so that
 * each session gets one frame and one write for it. What all sessions of a channel get is framed once, and no work
 * is done per session but the write.
 */
export class Output {
  readonly #env: Env
  readonly #queueMaxBytes: number
  readonly #close: (session: Session, reason: { code: number; reason: string }) => void
  #sessions = new Set<Session>()
  #audiences = new Set<Audience>()
  #isScheduled = false

  constructor(
    env: Env,
    queueMaxBytes: number,
    close: (session: Session, reason: { code: number; reason: string }) => void,
  ) {
    this.#env = env
    this.#queueMaxBytes = queueMaxBytes
    this.#close = close
  }

  /** For one session, before anything of its channels that is gathered later. */
  send(session: Session, message: string): void {
    if (session.phase === 'closed') return
    session.out.push(message)
    this.#sessions.add(session)
    this.#schedule()
  }

  publish(audience: Audience, message: string): void {
    audience.pieces.push(message)
    this.#audiences.add(audience)
    this.#schedule()
  }

  /** Moves what a channel gathered to its sessions as they are now: to be called before its audience changes. */
  settle(audience: Audience): void {
    if (!this.#audiences.delete(audience)) return
    for (const session of audience.sessions) {
      session.out.push(...audience.pieces)
      this.#sessions.add(session)
    }
    audience.pieces = []
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#isScheduled = false
    if (this.#sessions.size === 0 && this.#audiences.size === 1) return this.#broadcast()
    for (const audience of this.#audiences) this.settle(audience)
    const sessions = this.#sessions
    this.#sessions = new Set()
    for (const session of sessions) {
      const text = session.out.length === 1 ? session.out[0]! : session.out.join('\n')
      session.out = []
      this.#write(session, textFrame(text))
    }
  }

  /** The common case, one room spoke: its sessions share the very bytes. */
  #broadcast(): void {
    const audiences = this.#audiences
    this.#audiences = new Set()
    for (const audience of audiences) {
      const frame = textFrame(audience.pieces.join('\n'))
      audience.pieces = []
      for (const session of audience.sessions) this.#write(session, frame)
    }
  }

  #write(session: Session, frame: Buffer): void {
    if (session.phase === 'closed') return
    session.socket.write(frame)
    if (session.socket.bufferedBytes > this.#queueMaxBytes) {
      this.#env.metrics.slowConsumers.inc()
      this.#close(session, disconnects.slow)
    }
  }
}
