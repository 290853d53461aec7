import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { Socket } from 'node:net'

/** A text that stands exactly once in every publication of the generator, and in nothing else that a server sends. */
export const marker = '"sentAt":'

const markerBytes = Buffer.from(marker)
const nothing = Buffer.alloc(0)
const ping = Buffer.from('{}')
const laterPing = Buffer.from('\n{}')
const opcodes = { text: 1, close: 8 }
/** All connections read into it, one after the other: what they keep they copy. */
const shared = Buffer.allocUnsafeSlow(256 * 1024)

/**
 * As little of a WebSocket client as a load generator needs (RFC 6455): thousands of them in one process take less CPU
 * than the server. It counts publications by their marker, answers pings, and parses only what someone listens to.
 */
export class Wire {
  /** Publications received. */
  received = 0
  /** Called with each text message; while it is null, publications are only counted. */
  onMessage: ((text: string) => void) | null = null
  /** Called when the connection is gone and `destroy` was not called. */
  onGone: (why: string) => void = () => {}
  /**
   * Reads only when `read` is called. What came meanwhile is one read then: so the generator of a thousand clients
   * leaves the processor to the server that is measured.
   */
  isGulping = false
  readonly #socket: Socket
  readonly #opened = Promise.withResolvers<void>()
  #isOpen = false
  #isOver = false
  /** The beginning of a frame whose end has not come yet. */
  #rest = nothing

  constructor(url: string) {
    const { hostname, port, pathname, host } = new URL(url)
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: { buffer: shared, callback: (size, buffer) => this.#take(buffer as Buffer, size) },
    })
    this.#socket.on('connect', () => {
      const key = randomBytes(16).toString('base64')
      this.#socket.write(
        `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      )
    })
    this.#socket.on('error', (error) => this.#end(error.message))
    this.#socket.on('close', () => this.#end('the socket was closed'))
  }

  /** Resolves when the server has accepted the WebSocket. */
  get opened(): Promise<void> {
    return this.#opened.promise
  }

  send(text: string): void {
    this.#socket.write(maskedText(text))
  }

  /** Takes in what has come since the last call. */
  read(): void {
    this.#socket.resume()
  }

  /** Ends the connection without a goodbye. */
  destroy(): void {
    this.#isOver = true
    this.#socket.destroy()
  }

  #end(why: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#socket.destroy()
    this.#opened.reject(new Error(why))
    this.onGone(why)
  }

  /** False stops the reading. */
  #take(buffer: Buffer, size: number): boolean {
    const chunk = buffer.subarray(0, size)
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    if (!this.#isOpen) data = this.#handshake(data)
    const used = this.#frames(data)
    this.#rest = used === data.length ? nothing : Buffer.from(data.subarray(used))
    return !this.isGulping
  }

  #handshake(data: Buffer): Buffer {
    const end = data.indexOf('\r\n\r\n')
    if (end === -1) return data
    const status = data.toString('latin1', 0, data.indexOf('\r\n'))
    if (status.startsWith('HTTP/1.1 101')) {
      this.#isOpen = true
      this.#opened.resolve()
    } else this.#end(status)
    return data.subarray(end + 4)
  }

  /** Handles the whole frames of `data` and returns where they end. */
  #frames(data: Buffer): number {
    if (!this.#isOpen) return 0
    let at = 0
    while (at + 2 <= data.length) {
      const short = data[at + 1]!
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      if (at + header > data.length) break
      const length =
        header === 2 ? short : header === 4 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2))
      const start = at + header
      if (start + length > data.length) break
      this.#frame(data[at]! & 0x0f, data, start, start + length)
      at = start + length
    }
    if (at > 0 && this.onMessage === null) this.received += count(data, at)
    return at
  }

  #frame(opcode: number, data: Buffer, start: number, end: number): void {
    if (opcode === opcodes.text) {
      if (hasPing(data.subarray(start, end))) this.send('{}')
      if (this.onMessage !== null && end - start > ping.length) {
        for (const message of data.toString('utf8', start, end).split('\n')) this.#message(message)
      }
    } else if (opcode === opcodes.close) {
      this.#end(`closed with ${data.readUInt16BE(start)} ${data.toString('utf8', start + 2, end)}`)
    } else throw new Error(`the generator does not know frames of opcode ${opcode}`)
  }

  #message(text: string): void {
    if (text.includes(marker)) this.received++
    this.onMessage?.(text)
  }
}

/** A ping comes alone, or as a line among what waited with it. */
function hasPing(frame: Buffer): boolean {
  return (frame[0] === ping[0] && frame[1] === ping[1]) || frame.includes(laterPing)
}

function count(data: Buffer, end: number): number {
  let markers = 0
  for (let at = data.indexOf(markerBytes); at !== -1 && at < end; at = data.indexOf(markerBytes, at + 1)) markers++
  return markers
}

/** Clients mask; a mask of zeros leaves the text as it is. */
function maskedText(text: string): Buffer {
  const length = Buffer.byteLength(text)
  if (length > 0xffff) throw new Error('the generator sends short messages only')
  const header = length < 126 ? 6 : 8
  const frame = Buffer.alloc(header + length)
  frame[0] = 0x80 | opcodes.text
  frame[1] = 0x80 | (length < 126 ? length : 126)
  if (header === 8) frame.writeUInt16BE(length, 2)
  frame.write(text, header)
  return frame
}
