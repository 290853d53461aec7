const two32 = 2 ** 32

/**
 * Writes the basic types of Kafka's protocol one after another into one buffer, whose size is known before. Offsets
 * are numbers: they stay below 2^53.
 */
export class ByteWriter {
  readonly buffer: Buffer
  at = 0

  /** `size`: as many bytes as can be needed. */
  constructor(size: number) {
    this.buffer = Buffer.allocUnsafe(size)
  }

  /** What was written. */
  get written(): Buffer {
    return this.buffer.subarray(0, this.at)
  }

  int8(value: number): void {
    this.at = this.buffer.writeInt8(value, this.at)
  }

  int16(value: number): void {
    this.at = this.buffer.writeInt16BE(value, this.at)
  }

  int32(value: number): void {
    this.at = this.buffer.writeInt32BE(value, this.at)
  }

  int64(value: number): void {
    this.at = this.buffer.writeInt32BE(Math.floor(value / two32), this.at)
    this.at = this.buffer.writeUInt32BE(value >>> 0, this.at)
  }

  /** Seven bits a byte, the low ones first. */
  unsigned(value: number): void {
    const { buffer } = this
    let rest = value
    while (rest > 0x7f) {
      buffer[this.at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    buffer[this.at++] = rest
  }

  /** The same for numbers with a sign, which goes to the lowest bit. */
  signed(value: number): void {
    this.unsigned(((value << 1) ^ (value >> 31)) >>> 0)
  }

  bytes(value: Uint8Array): void {
    this.buffer.set(value, this.at)
    this.at += value.byteLength
  }

  string(value: string): void {
    const length = this.buffer.write(value, this.at + 2)
    this.int16(length)
    this.at += length
  }

  /** As newer versions of the protocol write strings. */
  compactString(value: string): void {
    this.unsigned(Buffer.byteLength(value) + 1)
    this.at += this.buffer.write(value, this.at)
  }

  /** The empty list of additions that newer versions end each structure with. */
  noTags(): void {
    this.unsigned(0)
  }

  /** The id of a topic: 16 bytes, in hexadecimal here. */
  topicId(id: string): void {
    this.at += this.buffer.write(id, this.at, 'hex')
  }
}

/** Reads what ByteWriter writes. Throws a RangeError beyond the end. */
export class ByteReader {
  readonly buffer: Buffer
  at: number

  constructor(buffer: Buffer, at = 0) {
    this.buffer = buffer
    this.at = at
  }

  get left(): number {
    return this.buffer.byteLength - this.at
  }

  int8(): number {
    return this.buffer.readInt8(this.at++)
  }

  int16(): number {
    this.at += 2
    return this.buffer.readInt16BE(this.at - 2)
  }

  int32(): number {
    this.at += 4
    return this.buffer.readInt32BE(this.at - 4)
  }

  int64(): number {
    this.at += 8
    return this.buffer.readInt32BE(this.at - 8) * two32 + this.buffer.readUInt32BE(this.at - 4)
  }

  unsigned(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer.readUInt8(this.at++)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
      if (shift > 28) throw new RangeError('a number of variable length is too long')
    }
  }

  signed(): number {
    const value = this.unsigned()
    return (value >>> 1) ^ -(value & 1)
  }

  bytes(length: number): Buffer {
    if (length < 0 || length > this.left) throw new RangeError(`there are ${this.left} bytes left, not ${length}`)
    this.at += length
    return this.buffer.subarray(this.at - length, this.at)
  }

  string(): string {
    return this.bytes(Math.max(0, this.int16())).toString()
  }

  /** Empty for null too. */
  compactString(): string {
    return this.bytes(Math.max(0, this.unsigned() - 1)).toString()
  }

  /** Calls `read` for each element; null counts as empty. */
  compactArray(read: () => void): void {
    for (let left = this.unsigned() - 1; left > 0; left -= 1) read()
  }

  array(read: () => void): void {
    for (let left = this.int32(); left > 0; left -= 1) read()
  }

  topicId(): string {
    return this.bytes(16).toString('hex')
  }

  /** Passes the additions at the end of a structure, handing each to `read`. */
  tags(read?: (tag: number, value: ByteReader) => void): void {
    for (let left = this.unsigned(); left > 0; left -= 1) {
      const tag = this.unsigned()
      const value = this.bytes(this.unsigned())
      read?.(tag, new ByteReader(value))
    }
  }
}
