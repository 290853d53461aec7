/** A client that speaks no protocol at all until the test does. */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { websocketPath } from '../../../proxy/transports/websocket/route.ts'
import { until } from '../../support/until.ts'

const headers = ['Host: x', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']

/** A request to become a WebSocket, as it goes over the wire. */
export const upgradeRequest = [
  `GET ${websocketPath} HTTP/1.1`,
  ...headers,
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')

/** A client that is nothing but a TCP connection; what is sent is the test's own bytes. */
export class BareClient implements Disposable {
  readonly socket: Socket
  /** All that came, one character a byte. */
  received = ''
  closed = false

  private constructor(socket: Socket) {
    this.socket = socket.setNoDelay()
    socket.on('data', (data: Buffer) => (this.received += data.toString('latin1')))
    // What goes wrong shows in how it closes.
    socket.on('error', () => {})
    socket.on('close', () => (this.closed = true))
  }

  static async open({ port }: { port: number }, host = '127.0.0.1'): Promise<BareClient> {
    const socket = createConnection(port, host)
    await once(socket, 'connect')
    return new BareClient(socket)
  }

  /** One that has become a WebSocket. */
  static async upgraded(served: { port: number }): Promise<BareClient> {
    const client = await BareClient.open(served)
    client.socket.write(upgradeRequest)
    await until('it is upgraded', () => client.received.includes('\r\n\r\n'))
    return client
  }

  /** The status that answers an HTTP request; 0 when the connection ends without one. */
  async status(): Promise<number> {
    await until('an answer', () => this.received.includes('\r\n\r\n') || this.closed)
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.received)?.[1] ?? 0)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
