import type { ServerMessage } from '../../protocol/client/message.ts'
import type { Encoded, Transport } from '../transports/transport.ts'
import type { Backlog, Session } from './session.ts'

/** A socket is given more while it holds less than this: what it holds shows how far a client is. */
export const socketBytesMax = 65_536
/** Messages that waited go together up to this size, and one that is longer goes in parts of it. */
export const messageBytesMax = 65_536

/** Bytes on their way to a client that its connection has not taken. */
export function queuedBytes({ backlog, outBytes, connection }: Session): number {
  return outBytes + (backlog === null ? 0 : backlog.bytes) + connection.bufferedBytes
}

/** The connection takes what comes next right away. */
export function takesMore({ backlog, connection }: Session): boolean {
  return backlog === null && connection.bufferedBytes < socketBytesMax
}

/** Puts messages behind what waits already. */
export function putBack(session: Session, messages: Encoded[], bytes: number, nowMs: number): Backlog {
  const inSocket = session.connection.bufferedBytes
  session.backlog ??= { frames: [], messages: [], bytes: 0, inSocket, tookAt: nowMs, restsUntil: 0 }
  session.backlog.messages.push(...messages)
  session.backlog.bytes += bytes
  return session.backlog
}

/** Writes what the connection takes now; the session has no backlog any more when that is all. */
export function writeOn(session: Session, nowMs: number): void {
  const { backlog, connection } = session
  if (backlog === null || backlog.restsUntil > nowMs) return
  if (connection.bufferedBytes < backlog.inSocket) backlog.tookAt = nowMs
  while (connection.bufferedBytes < socketBytesMax) {
    const frame = nextFrame(backlog, connection.transport)
    if (frame === undefined) {
      session.backlog = null
      return
    }
    connection.write(frame)
  }
  backlog.inSocket = connection.bufferedBytes
}

/** Writes everything that waits, whatever the connection takes, and `last` behind it: nothing follows. */
export function writeAll(session: Session, last: ServerMessage[]): void {
  const { backlog, out, connection } = session
  const { transport } = connection
  if (backlog !== null)
    for (let frame = nextFrame(backlog, transport); frame; frame = nextFrame(backlog, transport))
      connection.write(frame)
  session.backlog = null
  session.out = []
  session.outBytes = 0
  const messages = [...out, ...last.map((each) => transport.encode(each))]
  if (messages.length > 0) connection.write(transport.frame(messages))
}

/** The next frame to write; messages that waited share one. */
function nextFrame(backlog: Backlog, transport: Transport): Buffer | undefined {
  if (backlog.frames.length === 0 && backlog.messages.length > 0) {
    let count = 0
    let bytes = 0
    for (const message of backlog.messages) {
      const more = transport.bytesOf(message)
      if (count > 0 && bytes + more > messageBytesMax) break
      count++
      bytes += more
    }
    backlog.frames = transport.frames(backlog.messages.splice(0, count), messageBytesMax)
    for (const { length } of backlog.frames) backlog.bytes += length
    backlog.bytes -= bytes
  }
  const frame = backlog.frames.shift()
  if (frame !== undefined) backlog.bytes -= frame.length
  return frame
}
