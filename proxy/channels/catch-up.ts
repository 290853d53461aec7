import type { Metrics } from '../../observability/metrics.ts'
import type { Output } from '../sessions/output.ts'
import type { ReadBudget } from '../sessions/read-budget.ts'
import type { Session } from '../sessions/session.ts'
import type { Behind, Channel } from './channel.ts'
import { isNotThere } from './missed.ts'
import type { Missed, MissedPage, Reader } from './missed.ts'

/** Publications that a session may fall behind by, above what a recovery may bring: it starts anew then. */
export const lagMax = 1_000

/** All that is stored: what was promised is not taken back because history moves on. */
const everything = { size: Number.MAX_SAFE_INTEGER, ttlMs: Number.MAX_SAFE_INTEGER }

/** How many publications a session may be behind, and who is told that one cannot be brought up. */
export interface CatchUpOptions {
  recoveryLimit: number
  /** The session cannot be brought up; it is not behind any more. */
  failed: (channel: Channel, session: Session) => void
}

/** What is to be done for one session. */
interface Course {
  /** Channels in which it is behind; the first one is being brought up. */
  channels: Channel[]
  /** `paused` until the next sweep: a read failed, or the session has read as much as it may for now. */
  state: 'idle' | 'awaiting room' | 'reading' | 'paused'
}

/**
 * Brings sessions that are behind in a channel up to its top: one channel of a session after the other, page by page,
 * each when its connection has taken the one before. So what one session has on its way is bounded whatever it missed, and
 * a slow connection is never given more than it takes; what is published meanwhile is read in its turn.
 */
export class CatchUp {
  readonly #missed: Missed
  readonly #output: Output
  readonly #budget: ReadBudget
  readonly #metrics: Metrics
  readonly #options: CatchUpOptions
  readonly #courses = new Map<Session, Course>()

  constructor(missed: Missed, output: Output, budget: ReadBudget, metrics: Metrics, options: CatchUpOptions) {
    this.#missed = missed
    this.#output = output
    this.#budget = budget
    this.#metrics = metrics
    this.#options = options
  }

  /** The session has the channel up to `at`. */
  add(channel: Channel, session: Session, at: number): void {
    channel.sessions.delete(session)
    channel.behind.set(session, { session, at, readUpTo: null, live: null })
    this.#metrics.catchingUp.inc()
    const course = this.#courses.getOrInsertComputed(session, (): Course => ({ channels: [], state: 'idle' }))
    course.channels.push(channel)
    this.#go(session, course)
  }

  /** The session is not behind any more, for whatever reason. */
  remove(channel: Channel, session: Session): void {
    if (!channel.behind.delete(session)) return
    this.#metrics.catchingUp.dec()
    const course = this.#courses.get(session)!
    const wasReading = course.state === 'reading' && course.channels[0] === channel
    course.channels = course.channels.filter((each) => each !== channel)
    if (wasReading) course.state = 'idle'
    if (course.channels.length === 0) this.#courses.delete(session)
    else this.#go(session, course)
  }

  /** The connection of the session has taken all that it was given. */
  roomFor(session: Session): void {
    const course = this.#courses.get(session)
    if (course?.state !== 'awaiting room') return
    course.state = 'idle'
    const [channel] = course.channels
    if (channel !== undefined) this.#read(channel, channel.behind.get(session)!, course)
  }

  /** What was read for a session that is behind in a channel. */
  page(channel: Channel, { session, after, upTo }: Reader, page: MissedPage): void {
    const behind = channel.behind.get(session)
    if (behind?.readUpTo !== upTo || behind.at !== after) return
    behind.readUpTo = null
    const course = this.#courses.get(session)!
    if ('error' in page) {
      return isNotThere(page.error) ? this.#failed(channel, session) : this.#later(course)
    }
    if (page.publications.length === 0) return this.#failed(channel, session)
    this.#send(channel, session, page.publications)
    this.#metrics.deliveries.inc(page.publications.length)
    behind.at += page.publications.length
    if (behind.at === upTo && behind.live !== null) return this.#arrived(channel, behind)
    course.state = 'idle'
    this.#go(session, course)
  }

  /** Goes on with what was paused. */
  sweep(): void {
    for (const [session, course] of this.#courses) {
      if (course.state !== 'paused') continue
      course.state = 'idle'
      this.#go(session, course)
    }
  }

  #go(session: Session, course: Course): void {
    if (course.state !== 'idle') return
    course.state = 'awaiting room'
    this.#output.wantRoom(session)
  }

  #read(channel: Channel, behind: Behind, course: Course): void {
    const { session, at } = behind
    const upTo = channel.top
    if (at === upTo) return this.#arrived(channel, behind)
    if (upTo - at > this.#options.recoveryLimit + lagMax) return this.#failed(channel, session)
    if (!this.#budget.isLeft(session)) return this.#later(course)
    course.state = 'reading'
    behind.live = { publications: [], bytes: 0 }
    behind.readUpTo = upTo
    const range = { after: at, upTo, history: everything, limit: upTo - at }
    const refusal = this.#missed.read({ for: 'behind', session, channel: channel.name, after: at, upTo }, range)
    if (!refusal) return
    behind.readUpTo = null
    this.#later(course)
  }

  #arrived(channel: Channel, { session, live }: Behind): void {
    this.#output.settle(channel)
    this.#send(channel, session, live?.publications ?? [])
    channel.sessions.add(session)
    this.remove(channel, session)
  }

  #send({ name }: Channel, session: Session, publications: string[]): void {
    for (const publication of publications)
      this.#output.send(session, { kind: 'publication', channel: name, publication })
  }

  #failed(channel: Channel, session: Session): void {
    this.remove(channel, session)
    this.#options.failed(channel, session)
  }

  /** The others first, then this one again. */
  #later(course: Course): void {
    course.channels.push(course.channels.shift()!)
    course.state = 'paused'
  }
}
