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
 * What a write costs is the kernel's work, for one publication as for ten. After writing for so long, output rests for as
 * long, times this; what comes meanwhile goes in one write. A few sessions take microseconds, and nobody waits.
 */
export const restShare = 2.5

/** Rest at most. */
export const restMsMax = 25

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
  #written: (() => void)[] = []
  #isScheduled = false
  /** Monotonic ms. */
  #restUntil = 0

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
    this.#add(session, [message])
  }

  publish(audience: Audience, message: string): void {
    audience.pieces.push(message)
    this.#audiences.add(audience)
    this.#schedule()
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

  #add(session: Session, messages: string[]): void {
    session.out.push(...messages)
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
    // A slow session that is closed by what follows may leave something for the next time.
    this.#isScheduled = false
    for (const session of sessions) {
      const text = session.out.length === 1 ? session.out[0]! : session.out.join('\n')
      session.out = []
      this.#write(session, textFrame(text))
    }
    const end = clock.monotonic()
    this.#restUntil = end + Math.min((end - start) * restShare, restMsMax)
    for (const done of written) done()
  }

  /** Whoever gets nothing else this time shares the very bytes with the others. */
  #broadcast(audience: Audience, isOnly: boolean): void {
    const { pieces } = audience
    audience.pieces = []
    const frame = textFrame(pieces.join('\n'))
    for (const session of audience.sessions) {
      if (session.out.length === 0 && (isOnly || session.channels.size === 1)) this.#write(session, frame)
      else this.#add(session, pieces)
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
