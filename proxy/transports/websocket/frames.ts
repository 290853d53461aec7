/** Frames of RFC 6455, section 5.2: unmasked and uncompressed, as a server writes them. */

const finalBit = 0x80
const opcodeContinuation = 0x0
const opcodeText = 0x1

/** One text message in one frame. */
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
