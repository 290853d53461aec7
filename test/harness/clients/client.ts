import type { Proxy } from '../../../proxy/proxy.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import { until } from '../../support/until.ts'
import { connectionOf } from '../../support/connection.ts'

export interface Reply {
  id: number
  error?: { code: number; message: string }
  [method: string]: unknown
}

interface Publication {
  offset: number
  data: unknown
}

/** A client without a network: it speaks the protocol to a proxy's sessions directly and notes all it gets. */
export class Client {
  readonly replies = new Map<number, Reply>()
  /** Publications by channel, in the order of their arrival. */
  readonly received = new Map<string, Publication[]>()
  readonly unsubscribed: { channel: string; code: number }[] = []
  closed: { code: number } | null = null
  frames = 0
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
  async command(command: object): Promise<Reply> {
    const id = this.send(command)
    await until(`reply to ${JSON.stringify(command)}`, () => this.replies.has(id))
    return this.replies.get(id)!
  }

  subscribe(channel: string, recover?: { epoch: string; offset: number }): Promise<Reply> {
    return this.command({ subscribe: { channel, ...(recover && { recover: true, ...recover }) } })
  }

  publish(channel: string, data: unknown): Promise<Reply> {
    return this.command({ publish: { channel, data } })
  }

  chatSend(channel: string, data: unknown, key?: string): Promise<Reply> {
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

  #message(message: Message): void {
    if (message.id) {
      if (this.replies.has(message.id)) throw new Error(`command ${message.id} was answered twice`)
      this.replies.set(message.id, message)
      const subscribe = message['subscribe'] as { publications?: Publication[] } | undefined
      // Recovered publications come with the reply.
      for (const publication of subscribe?.publications ?? []) this.recovered.push(publication)
    } else if (message.push?.pub) {
      this.received.getOrInsertComputed(message.push.channel!, () => []).push(message.push.pub)
    } else if (message.push?.unsubscribe) {
      this.unsubscribed.push({ channel: message.push.channel!, code: message.push.unsubscribe.code })
    }
  }

  readonly recovered: Publication[] = []
}

interface Push {
  channel?: string
  pub?: Publication
  unsubscribe?: { code: number }
}

export type Message = Reply & { push?: Push }

/** The protocol messages in the frames of one connection; a long one comes in several. */
export class FrameReader {
  #parts: Buffer[] = []

  /** Those that end with this frame. */
  take(frame: Buffer): Message[] {
    const short = frame[1]!
    this.#parts.push(frame.subarray(short < 126 ? 2 : short === 126 ? 4 : 10))
    const isLast = (frame[0]! & 0x80) !== 0
    if (!isLast) return []
    const text = Buffer.concat(this.#parts).toString()
    this.#parts = []
    return text.split('\n').map((line) => JSON.parse(line) as Message)
  }
}
