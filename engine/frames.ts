import { DefaultSerializer, deserialize } from 'node:v8'
import type { LogErrorCode, LogRecord } from '../log/log.ts'
import type { StoreErrorCode } from '../store/store.ts'

/**
 * What goes over the engine's socket. A frame is four bytes of length and then a list of messages: all that one side
 * had to say in one turn of its event loop. Both sides are always the same release of the same program.
 */

export type Side = 'log' | 'store'

export type ClientMessage =
  /** The first message: who connects. Whatever an older connection of the same client still holds is void. */
  | ['hello', client: string]
  | ['request', id: number, side: Side, name: string, values: unknown[]]
  /** Follow a partition from an offset; `credit` is how many bytes of records may be sent unasked. */
  | ['follow', reader: number, topic: string, partition: number, from: number, credit: number]
  | ['credit', reader: number, bytes: number]
  | ['unfollow', reader: number]

export type ServerMessage =
  | ['answer', id: number, answer: unknown]
  | ['refusal', id: number, code: LogErrorCode | StoreErrorCode, message: string]
  | ['records', reader: number, records: LogRecord[]]
  | ['broken', reader: number, code: LogErrorCode, message: string]

/** A longer frame is taken for a broken connection. */
export const frameBytesMax = 256 * 1024 * 1024

const lengthBytes = 4
const lengthSpace = new Uint8Array(lengthBytes)

export function encodeFrame(messages: readonly (ClientMessage | ServerMessage)[]): Buffer {
  const serializer = new DefaultSerializer()
  serializer.writeRawBytes(lengthSpace)
  serializer.writeHeader()
  serializer.writeValue(messages)
  const frame = serializer.releaseBuffer()
  frame.writeUInt32LE(frame.byteLength - lengthBytes)
  return frame
}

/** Cuts a stream of bytes back into frames. Buffers in the messages are views of the bytes that came in. */
export class FrameDecoder<M extends ClientMessage | ServerMessage> {
  #chunks: Buffer[] = []
  #bytes = 0

  /** Takes the next bytes and returns the messages that are complete. Throws when the stream makes no sense. */
  push(chunk: Buffer): M[] {
    this.#chunks.push(chunk)
    this.#bytes += chunk.byteLength
    const messages: M[] = []
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) {
      for (const message of deserialize(frame) as M[]) messages.push(message)
    }
    return messages
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
