import type { Env } from '../../cluster/env.ts'
import { Outages } from '../../platform/outages.ts'

/** Open files that are no client's: the log's connections, scrapers, probes, and connections that are refused. */
export const filesReserved = 128
/** Where `client.connection_limit` does not say so, a proxy that can take fewer than this warns. */
export const clientsExpected = 10_000
/** From this share of its clients on, a proxy is not ready: more should go elsewhere. */
export const nearlyFull = 0.95

/** How many clients a proxy takes, and what it says when more come. */
export class Capacity {
  /** Sessions at once. */
  readonly clients: number
  /** Connections at once, those that are refused among them. */
  readonly sockets: number
  readonly #metrics: Env['metrics']
  readonly #outages: Outages
  readonly #reason: string
  /** Somebody was refused since the last look. */
  #refused = false

  /** `limit` is the configured one, 0 for any number; `files` is how many the process may have open. */
  constructor({ clock, logger, metrics }: Pick<Env, 'clock' | 'logger' | 'metrics'>, limit: number, files: number) {
    const reserved = Math.min(filesReserved, Math.ceil(files / 2))
    const room = files - reserved
    this.clients = limit === 0 ? room : Math.min(limit, room)
    this.sockets = room + Math.floor(reserved / 2)
    this.#metrics = metrics
    this.#reason = this.clients === room ? `the process may open ${files} files` : `client.connection_limit is ${limit}`
    this.#outages = new Outages(
      {
        away: (_what, { message: reason }) => logger.error({ reason, clients: this.clients }, 'takes no more clients'),
        back: () => logger.info('takes clients again'),
      },
      () => clock.monotonic(),
    )
    const wanted = limit === 0 ? clientsExpected : limit
    if (room < wanted)
      logger.warn({ files, clients: room, wanted }, 'the limit of open files (ulimit -n) is too low for the clients')
    if (Number.isFinite(this.clients)) metrics.connectionsMax.set(this.clients)
  }

  /** True when a proxy with so many sessions takes no other; said once an outage. */
  refuses(sessions: number): boolean {
    if (sessions < this.clients) return false
    this.#full()
    return true
  }

  /** A connection was closed unread, for want of files. */
  dropped(): void {
    this.#metrics.connectionsRefused.inc({ reason: 'open_files' })
    this.#full()
  }

  /** Looks whether a proxy with so many sessions has room again; to be called once a while. */
  look(sessions: number): void {
    if (!this.#refused && !this.isNearlyFull(sessions)) this.#outages.answered(what)
    this.#refused = false
  }

  /** Time to send new clients elsewhere, before they are refused. */
  isNearlyFull(sessions: number): boolean {
    return sessions >= this.clients * nearlyFull
  }

  #full(): void {
    this.#refused = true
    this.#outages.lost(what, new Error(this.#reason))
  }
}

const what = 'room for clients'
