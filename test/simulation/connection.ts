/** The connection of a simulated client. */
import type { Proxy } from '../../proxy/proxy.ts'
import type { Session } from '../../proxy/sessions/session.ts'
import type { Connection as Transported } from '../../proxy/transports/transport.ts'
import { FrameReader } from '../harness/clients/frame-reader.ts'
import type { Message } from '../harness/clients/messages.ts'
import { connectionOf } from '../support/connection.ts'
import type { Host } from './host.ts'
import type { Scheduler } from './scheduler.ts'
import type { Seeded } from './seeded.ts'

/** The client's end of a connection. */
export interface ConnectionEvents {
  /** Who connects, as a token would say. */
  user: string
  opened(): void
  message(message: Message): void
  /** 1006 when no reason was given. */
  closed(code: number, reason: string): void
}

/** One way of a client's message, at most, ms. */
const wayMs = 3

type Item = { frame: Buffer } | { close: { code: number; reason: string } }

/** A client's connection to a proxy: two queues that keep their order, and an end that either side may cut. */
export class Connection {
  readonly #scheduler: Scheduler
  readonly #random: Seeded
  readonly #host: Host
  readonly #proxy: Proxy
  readonly #events: ConnectionEvents
  readonly #toProxy: string[] = []
  #toClient: Item[] = []
  #buffered = 0
  readonly #reader = new FrameReader()
  #session: Session | null = null
  /** The client reads nothing until then, virtual ms. */
  #slowUntil = 0
  #isOver = false

  constructor(scheduler: Scheduler, random: Seeded, host: Host, proxy: Proxy, events: ConnectionEvents) {
    this.#scheduler = scheduler
    this.#random = random
    this.#host = host
    this.#proxy = proxy
    this.#events = events
    this.#deliver(host, 'client connects', () => this.#accept())
  }

  send(text: string): void {
    if (this.#isOver) return
    this.#toProxy.push(text)
    this.#deliver(this.#host, 'client sends', () => {
      const next = this.#toProxy.shift()
      if (next !== undefined && this.#session !== null) this.#proxy.received(this.#session, next)
    })
  }

  /** The client goes away. */
  drop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#deliver(this.#host, 'client is gone', () => this.#gone())
  }

  /** The client reads nothing for a while; 0 lets it read what waits. */
  stopReading(ms: number): void {
    this.#slowUntil = this.#scheduler.now + ms
    if (ms === 0) for (const _ of this.#toClient) this.#takeLater()
  }

  /** The proxy died, or its machine cut the connection. */
  cut(): void {
    this.#push({ close: { code: 1006, reason: 'cut' } })
  }

  #accept(): void {
    if (this.#isOver) return
    if (this.#proxy.ready !== true) return this.cut()
    this.#session = this.#proxy.open(this.#connection(), '127.0.0.1')
    this.#session.user = this.#events.user
    this.#events.opened()
  }

  #connection(): Transported {
    // The kernel takes all of it at once unless the client reads nothing.
    const buffered = () => (this.#scheduler.now < this.#slowUntil ? this.#buffered : 0)
    return connectionOf({
      write: (frame) => this.#push({ frame }),
      get bufferedBytes() {
        return buffered()
      },
      close: (code, reason) => this.#push({ close: { code, reason } }),
      terminate: () => this.cut(),
    })
  }

  #push(item: Item): void {
    if ('frame' in item) this.#buffered += item.frame.length
    this.#toClient.push(item)
    this.#takeLater()
  }

  #takeLater(): void {
    const waitMs = Math.max(0, this.#slowUntil - this.#scheduler.now)
    this.#scheduler.after(waitMs + this.#random.between(0, wayMs), null, 'to client', () => this.#take())
  }

  #take(): void {
    const item = this.#toClient.shift()
    if (item === undefined || this.#isOver) return
    if ('frame' in item) {
      this.#buffered -= item.frame.length
      for (const message of this.#reader.take(item.frame)) if (!this.#isOver) this.#events.message(message)
      return
    }
    this.#isOver = true
    this.#toClient = []
    this.#deliver(this.#host, 'connection is over', () => this.#gone())
    this.#events.closed(item.close.code, item.close.reason)
  }

  #gone(): void {
    if (this.#session !== null) this.#proxy.gone(this.#session)
  }

  #deliver(host: Host, what: string, run: () => void): void {
    this.#scheduler.after(this.#random.between(0, wayMs), host, what, run)
  }
}
