/** Reads what a proxy writes, where no library does. */
import type { Message } from './messages.ts'

/** The protocol messages in the frames of one connection; a long one comes in several. */
export class FrameReader {
  #parts: Buffer[] = []

  /** Those that end with this frame. */
  take(frame: Buffer): Message[] {
    const short = frame[1]!
    this.#parts.push(frame.subarray(short < 126 ? 2 : short === 126 ? 4 : 10))
    const isLast = (frame[0]! & 0x80) !== 0
    if (!isLast) return []
    const text = Buffer.concat(this.#parts).toString()
    this.#parts = []
    return text.split('\n').map((line) => JSON.parse(line) as Message)
  }
}
