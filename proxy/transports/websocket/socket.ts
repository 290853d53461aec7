import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { Session } from '../../sessions/session.ts'

/**
 * A client's connection as sessions see it. Everything that is written goes through `write`, so that another
 * transport, or a connection that came from another process, needs only this.
 */
export interface ClientSocket {
  /** Writes one ready-made frame; the same bytes may go to many sockets. */
  write(frame: Buffer): void
  /** Bytes accepted by write and not yet taken by the kernel. */
  readonly bufferedBytes: number
  /** Stops and goes on reading from the client. */
  pause(): void
  resume(): void
  /** Sends a close frame; the connection ends when the client answers or a deadline of the transport passes. */
  close(code: number, reason: string): void
  /** Ends the connection at once. */
  terminate(): void
}

const finalBit = 0x80
const opcodeContinuation = 0x0
const opcodeText = 0x1

/** One WebSocket text frame, unmasked and uncompressed, as RFC 6455 section 5.2 lays it out. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const headerLength = headerLengthOf(length)
  const frame = Buffer.allocUnsafe(headerLength + length)
  writeHeader(frame, finalBit | opcodeText, length)
  frame.write(text, headerLength)
  return frame
}

/**
 * A text message as frames of at most `bytesMax` of payload each (section 5.4): whoever writes them one by one sees
 * how far a long message is, and frames of control may come between them.
 */
export function textFrames(text: string, bytesMax: number): Buffer[] {
  if (Buffer.byteLength(text) <= bytesMax) return [textFrame(text)]
  const payload = Buffer.from(text)
  const frames: Buffer[] = []
  for (let at = 0; at < payload.length; at += bytesMax) {
    const part = payload.subarray(at, at + bytesMax)
    const headerLength = headerLengthOf(part.length)
    const frame = Buffer.allocUnsafe(headerLength + part.length)
    const opcode = at === 0 ? opcodeText : opcodeContinuation
    writeHeader(frame, at + bytesMax >= payload.length ? finalBit | opcode : opcode, part.length)
    part.copy(frame, headerLength)
    frames.push(frame)
  }
  return frames
}

function headerLengthOf(length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10
}

function writeHeader(frame: Buffer, first: number, length: number): void {
  frame[0] = first
  if (length < 126) frame[1] = length
  else if (length < 65_536) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
}

/** What happens to the sockets of sessions. */
export interface SocketEvents {
  message(session: Session, data: Buffer, isBinary: boolean): void
  /** A ping or pong of the WebSocket itself. True when a ping is to be answered. */
  control(session: Session): boolean
  /** The socket broke the protocol or failed; it closes. */
  failed(socket: ClientSocket, error: Error): void
  closed(session: Session): void
}

/**
 * A client's WebSocket, made by the server in place of the library's own. It is its session's socket itself and knows its
 * session, so that no connection needs functions of its own.
 *
 * Frames go straight to the TCP socket: without compression the WebSocket library holds nothing back, so the order
 * with its own control frames is kept.
 */
export class ClientWebSocket extends WebSocket implements ClientSocket {
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
