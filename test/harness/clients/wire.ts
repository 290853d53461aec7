/** A client over a real WebSocket, whose every word is the test's own. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import type { ClientOptions } from 'ws'
import { until } from '../../support/until.ts'
import type { Message, Publication } from './messages.ts'

export interface Close {
  code: number
  reason: string
  /** When it was seen, monotonic ms. */
  at: number
}

/** A WebSocket with the plain protocol on it: what is sent is the test's own text, all that comes is noted. */
export class Wire {
  readonly #ws: WebSocket
  #id = 0
  /** Text frames as they came. */
  readonly frames: string[] = []
  /** Their lines, parsed; pings are `{}`. */
  readonly messages: Message[] = []
  closed: Close | null = null

  constructor(url: string, protocols: string[], options: ClientOptions) {
    this.#ws = new WebSocket(url, protocols, { perMessageDeflate: false, ...options })
    this.#ws.on('message', (data: Buffer) => {
      const frame = data.toString()
      this.frames.push(frame)
      for (const line of frame.split('\n')) this.messages.push(JSON.parse(line) as Message)
    })
    // What goes wrong shows in how it closes.
    this.#ws.on('error', () => {})
    this.#ws.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString(), at: performance.now() }
    })
  }

  /** Resolves once the server has accepted; rejects with the status when it has not. */
  get opened(): Promise<void> {
    const refused = once(this.#ws, 'unexpected-response').then(([, response]) => {
      throw Object.assign(new Error('refused'), { status: (response as IncomingMessage).statusCode })
    })
    return Promise.race([once(this.#ws, 'open').then(() => {}), refused])
  }

  get protocol(): string {
    return this.#ws.protocol
  }

  /** Sends text as one frame. */
  raw(frame: string | Buffer): void {
    this.#ws.send(frame)
  }

  /** Sends commands in one frame; returns their ids. */
  send(...commands: object[]): number[] {
    const numbered = commands.map((command) => ({ id: ++this.#id, ...command }))
    this.raw(numbered.map((command) => JSON.stringify(command)).join('\n'))
    return numbered.map(({ id }) => id)
  }

  async reply(id: number): Promise<Message> {
    const find = () => this.messages.find((message) => message.id === id)
    await until(`reply to ${id}`, () => find() !== undefined || this.closed !== null)
    const reply = find()
    if (!reply) throw new Error(`closed with ${this.closed?.code} before reply ${id}`)
    return reply
  }

  /** Sends a command and waits for its reply. */
  command(command: object): Promise<Message> {
    return this.reply(this.send(command)[0]!)
  }

  connect(token: string): Promise<Message> {
    return this.command({ connect: { token } })
  }

  /** Sends a command; the code of the error that answers it, 0 when it is none. */
  async errorOf(command: object): Promise<number> {
    return (await this.command(command)).error?.code ?? 0
  }

  /** How the server ended it. */
  async close(): Promise<Close> {
    await until('the connection is closed', () => this.closed !== null)
    return this.closed!
  }

  publications(channel: string): Publication[] {
    return this.messages.flatMap(({ push }) => (push?.channel === channel && push.pub ? [push.pub] : []))
  }

  /** Stops and goes on reading from the network. */
  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    this.#ws.resume()
  }

  terminate(): void {
    this.#ws.terminate()
  }
}
