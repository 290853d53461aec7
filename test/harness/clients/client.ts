/** A client in the proxy's own process. */
import type { Proxy } from '../../../proxy/proxy.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import { connectionOf } from '../../support/connection.ts'
import { until } from '../../support/until.ts'
import { FrameReader } from './frame-reader.ts'
import type { Message, Publication } from './messages.ts'

/** A client without a network: it speaks the protocol to a proxy's sessions directly and notes all it gets. */
export class Client {
  readonly replies = new Map<number, Message>()
  /** Publications by channel, in the order of their arrival. */
  readonly received = new Map<string, Publication[]>()
  readonly unsubscribed: { channel: string; code: number }[] = []
  closed: { code: number } | null = null
  frames = 0
  /** What came with the replies of subscribes that recovered. */
  readonly recovered: Publication[] = []
  readonly #reader = new FrameReader()
  readonly #proxy: Proxy
  readonly #session: Session
  #id = 0

  constructor(proxy: Proxy) {
    this.#proxy = proxy
    const connection = connectionOf({
      write: (frame) => this.#frame(frame),
      close: (code) => (this.closed = { code }),
    })
    this.#session = proxy.open(connection, '127.0.0.1')
  }

  /** Sends a command and returns its id. */
  send(command: object): number {
    const id = ++this.#id
    this.#proxy.received(this.#session, JSON.stringify({ id, ...command }))
    return id
  }

  /** Sends a command and waits for its reply. */
  async command(command: object): Promise<Message> {
    const id = this.send(command)
    await until(`reply to ${JSON.stringify(command)}`, () => this.replies.has(id))
    return this.replies.get(id)!
  }

  subscribe(channel: string, recover?: { epoch: string; offset: number }): Promise<Message> {
    return this.command({ subscribe: { channel, ...(recover && { recover: true, ...recover }) } })
  }

  publish(channel: string, data: unknown): Promise<Message> {
    return this.command({ publish: { channel, data } })
  }

  chatSend(channel: string, data: unknown, key?: string): Promise<Message> {
    return this.command({ rpc: { method: 'chat.send', data: { channel, data, key } } })
  }

  /** What came in a channel, as data. */
  dataOf(channel: string): unknown[] {
    return (this.received.get(channel) ?? []).map(({ data }) => data)
  }

  /** The connection is gone. */
  drop(): void {
    this.#proxy.gone(this.#session)
  }

  #frame(frame: Buffer): void {
    this.frames++
    for (const message of this.#reader.take(frame)) this.#message(message)
  }

  /** A test may last longer than a client may be silent. */
  #pong(): void {
    if (this.closed === null) this.#proxy.received(this.#session, '{}')
  }

  #message(message: Message): void {
    if (message.id) {
      if (this.replies.has(message.id)) throw new Error(`command ${message.id} was answered twice`)
      this.replies.set(message.id, message)
      this.recovered.push(...(message.subscribe?.publications ?? []))
    } else if (message.push?.pub) {
      this.received.getOrInsertComputed(message.push.channel!, () => []).push(message.push.pub)
    } else if (message.push?.unsubscribe) {
      this.unsubscribed.push({ channel: message.push.channel!, code: message.push.unsubscribe.code })
    } else if (Object.keys(message).length === 0) queueMicrotask(() => this.#pong())
  }
}
