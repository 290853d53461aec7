/** What becomes of a request on its way, and of its answer. */
import { LogError } from '../../log/errors.ts'
import { StoreError } from '../../store/errors.ts'
import type { Host, Link } from './host.ts'
import type { Scheduler } from './scheduler.ts'
import type { Seeded } from './seeded.ts'

/** How likely it is, for one request, that … */
export interface Rates {
  /** … it never arrives, and the caller hears of an error. */
  lost: number
  /** … it takes effect and the caller hears of an error. */
  unacknowledged: number
  /** … the caller hears of an error, and it takes effect later. */
  late: number
  /** … it is slow. */
  slow: number
  /** … its process dies at it: before it is sent, on its way, or before the answer is read. */
  crash: number
}

export const noFaults: Rates = { lost: 0, unacknowledged: 0, late: 0, slow: 0, crash: 0 }

export interface Delays {
  /** One way, at most, ms. */
  usualMs: number
  /** A slow or late request takes up to this long. */
  slowMs: number
}

/**
 * The way of requests to log and store, with all that can become of them. A request that was sent arrives although its
 * process is frozen or dead by then; an answer does not.
 */
export class Network {
  rates: Rates
  readonly delays: Delays
  readonly #scheduler: Scheduler
  readonly #random: Seeded
  /** What fails always while it is stalled: the beginning of a request's name. */
  readonly #stalled = new Set<string>()
  /** Requests whose caller has given up, and that will still arrive. */
  readonly #late = new Set<{ host: Host; link: Link; arrive: () => void }>()

  constructor(scheduler: Scheduler, random: Seeded, rates: Rates, delays: Delays) {
    this.#scheduler = scheduler
    this.#random = random
    this.rates = rates
    this.delays = delays
  }

  /** Requests whose name begins with this fail until `resume`: a partition without a leader. */
  stall(what: string): void {
    this.#stalled.add(what)
  }

  resume(what: string): void {
    this.#stalled.delete(what)
  }

  /** Time that one way takes now. */
  wayMs(): number {
    const { usualMs, slowMs } = this.delays
    return this.#random.chance(this.rates.slow) ? this.#random.between(0, slowMs) : this.#random.between(0, usualMs)
  }

  /** Everything of this process that is still on its way arrives now: a server that lets nobody overtake. */
  settleLate(host: Host, link: Link): void {
    for (const each of [...this.#late]) if (each.host === host && each.link === link) each.arrive()
  }

  request<T>(host: Host, link: Link, what: string, execute: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const fail = (ms: number) =>
      this.#scheduler.after(ms, host, `${what}: unavailable`, () => reject(unavailable(link, what)))
    if (host.state === 'dead' || this.#mayCrash(host)) return promise
    const fate = this.#fate(host, link, what)
    if (fate === 'lost') {
      fail(this.wayMs())
      return promise
    }
    if (fate === 'late') {
      fail(this.wayMs())
      this.#arriveLate(host, link, what, execute)
      return promise
    }
    this.#scheduler.after(this.wayMs(), null, `${what} of ${host.name}`, () => {
      if (host.cut[link]) return void fail(0)
      let settle: () => void
      try {
        const answer = execute()
        settle = () => resolve(answer)
      } catch (error) {
        settle = () => reject(error)
      }
      if (this.#mayCrash(host)) return
      if (fate === 'unacknowledged') return void fail(this.wayMs())
      this.#scheduler.after(this.wayMs(), host, `${what}: answer`, () =>
        host.cut[link] ? reject(unavailable(link, what)) : settle(),
      )
    })
    // On its way: the process dies, the request does not.
    this.#mayCrash(host)
    return promise
  }

  #arriveLate(host: Host, link: Link, what: string, execute: () => unknown): void {
    const late = {
      host,
      link,
      arrive: () => {
        if (!this.#late.delete(late)) return
        try {
          execute()
        } catch {
          // Nobody waits for it any more.
        }
      },
    }
    this.#late.add(late)
    const ms = this.#random.between(0, this.delays.slowMs)
    this.#scheduler.after(ms, null, `${what} of ${host.name}, late`, late.arrive)
  }

  #fate(host: Host, link: Link, what: string): 'done' | 'lost' | 'unacknowledged' | 'late' {
    if (host.cut[link]) return 'lost'
    for (const name of this.#stalled) if (what.startsWith(name)) return 'lost'
    const { lost, unacknowledged, late } = this.rates
    const drawn = this.#random.float()
    if (drawn < lost) return 'lost'
    if (drawn < lost + unacknowledged) return 'unacknowledged'
    return drawn < lost + unacknowledged + late ? 'late' : 'done'
  }

  #mayCrash(host: Host): boolean {
    if (!this.#random.chance(this.rates.crash)) return false
    host.kill()
    return true
  }
}

function unavailable(link: Link, what: string): Error {
  const message = `${what}: no answer`
  return link === 'log' ? new LogError('unavailable', message) : new StoreError('unavailable', message)
}
