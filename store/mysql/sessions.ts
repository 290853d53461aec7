import { Failure } from './errors.ts'
import { Session } from './session.ts'
import type { MysqlTarget } from './url.ts'

/** Time that a request waits for a connection. */
export const sessionWaitMs = 3_000

/** Requests that wait for a connection at most. */
export const sessionWaitersMax = 1_000

interface Waiter {
  timer: NodeJS.Timeout
  resolve: (session: Session | Promise<Session>) => void
  reject: (failure: Failure) => void
}

/** To whom and how many, and who is told how many there are. */
export interface SessionsOptions {
  /** Where they lead. */
  target: MysqlTarget
  /** Connections at most. */
  max: number
  /** Called when a number below is another. */
  changed: () => void
}

/** Connections that requests take turns on. They are made when they are needed and kept. */
export class Sessions {
  readonly #options: SessionsOptions
  readonly #idle: Session[] = []
  /** All that may be used again; one that is given back and is not in here is closed. */
  readonly #kept = new Set<Session>()
  readonly #waiting: Waiter[] = []
  #open = 0
  #running = 0
  #closed = false

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /** Connections that are open; with the next two, what metrics show. */
  get open(): number {
    return this.#open
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Lends a connection. Rejects with a Failure when there is none in time. */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#take()
    this.#running += 1
    this.#options.changed()
    try {
      return await work(session)
    } finally {
      this.#running -= 1
      this.#giveBack(session)
      this.#options.changed()
    }
  }

  /** Lets every connection go: the next ones may reach another server. */
  renew(): void {
    this.#kept.clear()
    for (const session of this.#idle.splice(0)) session.destroy()
  }

  /** Closes what is idle now, and the rest when it is given back. */
  async close(): Promise<void> {
    this.#closed = true
    this.#kept.clear()
    for (let waiter = this.#nextWaiter(); waiter; waiter = this.#nextWaiter())
      waiter.reject(new Failure('unavailable', 'the store is closed'))
    await Promise.all(this.#idle.splice(0).map((session) => session.close()))
  }

  async #take(): Promise<Session> {
    if (this.#closed) throw new Failure('unavailable', 'the store is closed')
    for (let session = this.#idle.pop(); session; session = this.#idle.pop()) if (!session.broken) return session
    if (this.#open < this.#options.max) return this.#connect()
    if (this.#waiting.length >= sessionWaitersMax)
      throw new Failure('unavailable', 'too many requests wait for a connection to the database')
    return this.#wait()
  }

  #wait(): Promise<Session> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(new Failure('unavailable', `no connection to the database was free within ${sessionWaitMs} ms`))
      }
      const waiter = { timer: setTimeout(giveUp, sessionWaitMs), resolve, reject }
      this.#waiting.push(waiter)
      this.#options.changed()
    })
  }

  /** The one that has waited longest; it must be settled. */
  #nextWaiter(): Waiter | undefined {
    const waiter = this.#waiting.shift()
    clearTimeout(waiter?.timer)
    return waiter
  }

  async #connect(): Promise<Session> {
    this.#count(1)
    let session: Session
    try {
      session = await Session.open(this.#options.target)
    } catch (error) {
      this.#gone()
      throw error
    }
    this.#kept.add(session)
    void session.closed.then(() => {
      this.#kept.delete(session)
      const place = this.#idle.indexOf(session)
      if (place !== -1) this.#idle.splice(place, 1)
      this.#gone()
    })
    return session
  }

  #giveBack(session: Session): void {
    if (session.broken) return
    if (this.#closed || !this.#kept.has(session)) return void session.close()
    const waiter = this.#nextWaiter()
    if (waiter) waiter.resolve(session)
    else this.#idle.push(session)
  }

  /** A connection less: whoever has waited longest may make another. */
  #gone(): void {
    this.#count(-1)
    const waiter = this.#nextWaiter()
    waiter?.resolve(this.#connect())
  }

  #count(by: number): void {
    this.#open += by
    this.#options.changed()
  }
}
