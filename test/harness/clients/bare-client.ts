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

/** A client's text frame; the mask is zero, so the text stays as it is. */
export function maskedFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const header = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255, 0, 0, 0, 0])
  return Buffer.concat([header, payload])
}

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

  /** The status that answers an HTTP request; 0 when the connection ends without one. */
  async status(): Promise<number> {
    await until('an answer', () => this.received.includes('\r\n\r\n') || this.closed)
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.received)?.[1] ?? 0)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
