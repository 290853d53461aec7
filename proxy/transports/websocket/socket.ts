import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { Session } from '../../sessions/session.ts'
import type { Connection, Transport } from '../transport.ts'
import { jsonOverWebSocket } from './json-over-websocket.ts'

/** What happens to the sockets of sessions. */
export interface SocketEvents {
  message(session: Session, data: Buffer, isBinary: boolean): void
  /** A ping or pong of the WebSocket itself. True when a ping is to be answered. */
  control(session: Session): boolean
  /** The socket broke the protocol or failed; it closes. */
  failed(socket: Connection, error: Error): void
  closed(session: Session): void
}

/**
 * A client's WebSocket, made by the server in place of the library's own. It is its session's socket itself and knows its
 * session, so that no connection needs functions of its own.
 *
 * Frames go straight to the TCP socket: without compression the WebSocket library holds nothing back, so the order
 * with its own control frames is kept.
 */
export class ClientWebSocket extends WebSocket implements Connection {
  #tcp: Socket | null = null
  #session: Session | null = null
  #events: SocketEvents | null = null

  /** To be called before anything is written: `tcp` is what the WebSocket speaks over. */
  begin(tcp: Socket): void {
    this.#tcp = tcp
  }

  /** From here on the socket serves a session; `events` are the same for all. */
  serve(session: Session, events: SocketEvents): void {
    this.#session = session
    this.#events = events
    // What listened during the upgrade keeps the request.
    this.removeAllListeners('error')
    this.on('error', ClientWebSocket.#onError)
    this.on('message', ClientWebSocket.#onMessage)
    this.on('ping', ClientWebSocket.#onPing)
    this.on('pong', ClientWebSocket.#onPong)
    this.on('close', ClientWebSocket.#onClose)
  }

  write(frame: Buffer): void {
    if (this.#tcp?.writable && this.readyState === WebSocket.OPEN) this.#tcp.write(frame)
  }

  get transport(): Transport {
    return jsonOverWebSocket
  }

  get bufferedBytes(): number {
    return this.#tcp?.writableLength ?? 0
  }

  static #onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
    const socket = this as ClientWebSocket
    socket.#events!.message(socket.#session!, data, isBinary)
  }

  static #onPing(this: WebSocket, data: Buffer): void {
    const socket = this as ClientWebSocket
    if (socket.#events!.control(socket.#session!)) socket.pong(data)
  }

  static #onPong(this: WebSocket): void {
    const socket = this as ClientWebSocket
    socket.#events!.control(socket.#session!)
  }

  static #onError(this: WebSocket, error: Error): void {
    const socket = this as ClientWebSocket
    socket.#events!.failed(socket, error)
  }

  static #onClose(this: WebSocket): void {
    const socket = this as ClientWebSocket
    socket.#events!.closed(socket.#session!)
  }
}
