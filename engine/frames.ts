import type { ClientMessage, ServerMessage } from './messages.ts'
import { ValueReader, ValueWriter } from './values.ts'

/**
 * What goes over the engine's socket. A frame is four bytes of length and then a list of messages: all that one side
 * had to say in one turn of its event loop, unless that is very much.
 */

/** A longer frame is taken for a broken connection. */
export const frameBytesMax = 256 * 1024 * 1024

const lengthBytes = 4
const writer = new ValueWriter()

/** All messages in one frame, however long it gets. */
export function encodeFrame(messages: readonly (ClientMessage | ServerMessage)[]): Buffer {
  writer.begin(lengthBytes)
  writer.write(messages)
  const frame = writer.end()
  frame.writeUInt32LE(frame.byteLength - lengthBytes)
  return frame
}

/** Messages in one frame, or in as many as it takes for none to be longer than it may be. */
export function encodeFrames(messages: readonly (ClientMessage | ServerMessage)[], bytesMax = frameBytesMax): Buffer[] {
  const frame = encodeFrame(messages)
  if (frame.byteLength - lengthBytes <= bytesMax || messages.length === 1) return [frame]
  const middle = messages.length >> 1
  return [messages.slice(0, middle), messages.slice(middle)].flatMap((half) => encodeFrames(half, bytesMax))
}

/**
 * Cuts a stream of bytes back into frames. Buffers in the messages are views of the bytes that came in. That they are
 * messages of type `M` is the word of who sent them.
 */
export class FrameDecoder<M> {
  #chunks: Buffer[] = []
  #bytes = 0

  /** Takes the next bytes and returns the frames that are complete. Throws when the stream makes no sense. */
  push(chunk: Buffer): M[][] {
    this.#chunks.push(chunk)
    this.#bytes += chunk.byteLength
    const frames: M[][] = []
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(messagesIn(frame) as M[])
    return frames
  }

  #take(): Buffer | undefined {
    if (this.#bytes < lengthBytes) return undefined
    if ((this.#chunks[0]?.byteLength ?? 0) < lengthBytes) this.#join()
    const length = this.#chunks[0]?.readUInt32LE() ?? 0
    if (length > frameBytesMax) throw new RangeError(`a frame of ${length} bytes`)
    const end = lengthBytes + length
    if (this.#bytes < end) return undefined
    const bytes = this.#join()
    const rest = bytes.subarray(end)
    this.#chunks = rest.byteLength > 0 ? [rest] : []
    this.#bytes = rest.byteLength
    return bytes.subarray(lengthBytes, end)
  }

  #join(): Buffer {
    const [only] = this.#chunks
    if (only !== undefined && this.#chunks.length === 1) return only
    const joined = Buffer.concat(this.#chunks)
    this.#chunks = [joined]
    return joined
  }
}

function messagesIn(frame: Buffer): unknown[] {
  const reader = new ValueReader(frame)
  const messages = reader.read()
  if (!Array.isArray(messages) || !reader.isAtEnd) throw new RangeError('a frame holds one list of messages')
  return messages
}
