/** A link of the network that a test slows down, fills and cuts. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Gate } from './gate.ts'
import { carry, heldBytesMax, type Passage } from './tcp-link.ts'

/** Which way: what the client sends, what the target answers. */
export type Way = 'requests' | 'answers'

/** A path is that of a Unix socket, whose buffers are small and stay so. */
export type Target = { host: string; port: number } | { path: string }

/** What has passed so far. */
export interface PassedCounts {
  connections: number
  /** Turned away while cut. */
  refused: number
  /** Reset by cut() or instead of an answer. */
  reset: number
  requestBytes: number
  answerBytes: number
}

interface Connection {
  client: Socket
  target: Socket
  /** Its next answer is thrown away, and the connection with it. */
  losesAnswer: boolean
}

/**
 * A bad network on request: listens on a port of loopback of its own and forwards every connection to a target, until
 * it is told otherwise. Faults apply to the connections that are there and to those that come, until restore().
 */
export class TcpProxy implements AsyncDisposable {
  readonly port: number
  readonly counts: PassedCounts = { connections: 0, refused: 0, reset: 0, requestBytes: 0, answerBytes: 0 }
  readonly #server: Server
  readonly #target: Target
  readonly #connections = new Set<Connection>()
  readonly #passages: Record<Way, Passage> = { requests: openPassage(), answers: openPassage() }
  #isCut = false

  private constructor(server: Server, target: Target) {
    this.#server = server
    this.#target = target
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (client) => this.#accept(client))
  }

  /** Without `port` it takes a free one. The target need not be up yet. */
  static async listen(target: Target, port = 0): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    return new TcpProxy(server, target)
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#connections.size
  }

  /** Resets every connection, and each new one at once. */
  cut(): void {
    this.#isCut = true
    for (const connection of this.#connections) this.#reset(connection)
  }

  /** Connections stay, and come about, but nothing passes any more in the given ways; what was sent passes later. */
  blackhole(...ways: Way[]): void {
    for (const way of ways.length === 0 ? (['requests', 'answers'] as const) : ways) this.#passages[way].gate.shut()
  }

  /** Delays everything that passes, each way; `heldMax` bytes of it are held back before the sender must wait. */
  slow(latencyMs: number, bytesPerSecond = Infinity, heldMax = heldBytesMax): void {
    const slowness = { latencyMs, bytesPerSecond, heldBytesMax: heldMax }
    for (const passage of Object.values(this.#passages)) Object.assign(passage, slowness)
  }

  /**
   * Resets each connection that is open now instead of passing on its next answer: the request took effect, and
   * nobody hears of it.
   */
  loseNextAnswers(): void {
    for (const connection of this.#connections) connection.losesAnswer = true
  }

  /** Ends all faults. What was held back passes now. */
  restore(): void {
    this.#isCut = false
    this.slow(0)
    for (const { gate } of Object.values(this.#passages)) gate.open()
    for (const connection of this.#connections) connection.losesAnswer = false
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cut()
    for (const { gate } of Object.values(this.#passages)) gate.open()
    await once(this.#server, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #accept(client: Socket): void {
    // How a connection ended is told by its 'close'.
    client.on('error', () => undefined)
    if (this.#isCut) {
      this.counts.refused += 1
      client.resetAndDestroy()
      return
    }
    this.counts.connections += 1
    const target = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    const connection: Connection = { client, target, losesAnswer: false }
    this.#connections.add(connection)
    // A target that cannot be reached, or resets, resets the client.
    target.on('error', () => client.resetAndDestroy())
    client.on('data', (data) => (this.counts.requestBytes += data.length))
    target.on('data', (data) => {
      if (connection.losesAnswer) this.#reset(connection)
      else this.counts.answerBytes += data.length
    })
    void this.#carryBoth(connection)
  }

  async #carryBoth(connection: Connection): Promise<void> {
    const { client, target } = connection
    const forward = async (source: Socket, sink: Socket, way: Way): Promise<void> => {
      await carry(source, sink, () => this.#passages[way])
      sink.end()
      // Gone without an end: neither side has anything more to say.
      if (source.destroyed) sink.destroySoon()
    }
    await Promise.all([forward(client, target, 'requests'), forward(target, client, 'answers')])
    this.#connections.delete(connection)
  }

  #reset(connection: Connection): void {
    this.counts.reset += 1
    this.#connections.delete(connection)
    connection.client.resetAndDestroy()
    connection.target.destroy()
  }
}

function openPassage(): Passage {
  return { gate: new Gate(), latencyMs: 0, bytesPerSecond: Infinity, heldBytesMax }
}
