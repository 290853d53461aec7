import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'

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

const finalText = 0x81

/** One WebSocket text frame, unmasked and uncompressed, as RFC 6455 section 5.2 lays it out. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headerLength + length)
  frame[0] = finalText
  if (headerLength === 2) frame[1] = length
  else if (headerLength === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(text, headerLength)
  return frame
}

/**
 * Frames go straight to the TCP socket: without compression the WebSocket library holds nothing back, so the order
 * with its own control frames is kept.
 */
export function webSocketOf(ws: WebSocket, tcp: Socket): ClientSocket {
  return {
    write(frame) {
      if (tcp.writable && ws.readyState === ws.OPEN) tcp.write(frame)
    },
    get bufferedBytes() {
      return tcp.writableLength
    },
    pause: () => ws.pause(),
    resume: () => ws.resume(),
    close: (code, reason) => ws.close(code, reason),
    terminate: () => ws.terminate(),
  }
}
