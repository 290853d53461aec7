/** WebSocket frames by hand (RFC 6455, section 5.2), so that a test can make those that no library makes. */

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameOptions {
  opcode?: number
  /** False for all but the last frame of a message. */
  fin?: boolean
  /** Reserved bits, 0 to 7. */
  reserved?: number
  isMasked?: boolean
  /** What the header says, whatever the payload has. */
  claimedBytes?: bigint
}

const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

/** A frame as a client sends it. */
export function clientFrame(payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { opcode = opcodes.text, fin = true, reserved = 0, isMasked = true } = options
  const data = Buffer.from(payload)
  const length = options.claimedBytes ?? BigInt(data.length)
  const maskBit = isMasked ? 0x80 : 0
  const size = length < 126n ? Buffer.from([maskBit | Number(length)]) : lengthBytes(maskBit, length)
  const body = isMasked ? Buffer.concat([mask, data.map((byte, at) => byte ^ mask[at % 4]!)]) : data
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | (reserved << 4) | opcode]), size, body])
}

function lengthBytes(maskBit: number, length: bigint): Buffer {
  const isShort = length < 65_536n
  const bytes = Buffer.alloc(isShort ? 3 : 9)
  bytes[0] = maskBit | (isShort ? 126 : 127)
  if (isShort) bytes.writeUInt16BE(Number(length), 1)
  else bytes.writeBigUInt64BE(length, 1)
  return bytes
}

/** One message, cut into fragments at the places given, with `between` after each but the last. */
export function fragments(text: string, cuts: number[], between: Buffer = Buffer.alloc(0)): Buffer {
  const data = Buffer.from(text)
  const edges = [0, ...cuts, data.length]
  return Buffer.concat(
    edges.slice(1).flatMap((end, at) => {
      const isLast = at === edges.length - 2
      const opcode = at === 0 ? opcodes.text : opcodes.continuation
      return [clientFrame(data.subarray(edges[at], end), { opcode, fin: isLast }), ...(isLast ? [] : [between])]
    }),
  )
}

export interface ServerFrame {
  opcode: number
  payload: Buffer
}

/** The frames behind the answer to the upgrade, as far as they are there. */
export function serverFrames(received: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = []
  let at = received.indexOf('\r\n\r\n') + 4
  if (at < 4) return frames
  while (at + 2 <= received.length) {
    const short = received[at + 1]!
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10)
    if (start > received.length) break
    const length =
      short < 126 ? short : short === 126 ? received.readUInt16BE(at + 2) : Number(received.readBigUInt64BE(at + 2))
    if (start + length > received.length) break
    frames.push({ opcode: received[at]! & 0x0f, payload: received.subarray(start, start + length) })
    at = start + length
  }
  return frames
}

/** The code of the close frame; 0 when there is none. */
export function closeCode(received: Buffer): number {
  const close = serverFrames(received).find(({ opcode }) => opcode === opcodes.close)
  return close && close.payload.length >= 2 ? close.payload.readUInt16BE(0) : 0
}
