import type { Session } from './session.ts'

/**
 * What sessions are subscribed to, asked for and given alike, and how much of it each user has at this proxy. Users
 * without an id are not counted together.
 */
export class Subscriptions {
  readonly #perSession: number
  readonly #perUser: number
  readonly #byUser = new Map<string, number>()

  /** `perUser` is 0 for any number. */
  constructor(perSession: number, perUser: number) {
    this.#perSession = perSession
    this.#perUser = perUser === 0 ? Infinity : Math.max(perUser, perSession)
  }

  /** False when the session, or all of its user's, have as many as they may. */
  add(session: Session, channel: string): boolean {
    const { user, channels } = session
    const ofUser = this.#byUser.get(user) ?? 0
    if (channels.size >= this.#perSession || ofUser >= this.#perUser) return false
    channels.add(channel)
    if (user !== '') this.#byUser.set(user, ofUser + 1)
    return true
  }

  /** False when the session has no such subscription. */
  delete(session: Session, channel: string): boolean {
    const had = session.channels.delete(channel)
    if (had) this.#forget(session.user, 1)
    return had
  }

  /** The session is over. */
  clear(session: Session): void {
    this.#forget(session.user, session.channels.size)
    session.channels.clear()
  }

  #forget(user: string, count: number): void {
    const left = (this.#byUser.get(user) ?? 0) - count
    if (left > 0) this.#byUser.set(user, left)
    else this.#byUser.delete(user)
  }
}
