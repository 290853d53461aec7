/**
 * Plain values as bytes: what JSON has, undefined, any number, and Buffers as they are. V8's own serializer would do, but
 * each of its serializers is an object that only a full collection takes away again; those of two seconds at 500 publishes
 * a second made each minor collection copy them all, for 20 ms.
 */

const tags = { undefined: 0, null: 1, false: 2, true: 3, integer: 4, number: 5, short: 6, text: 7, units: 8, bytes: 9 }
const listTag = 10
const objectTag = 11
/** No byte: nothing is left. */
const endTag = -1

/** Bytes of text that are written and read one by one: for so few, asking the runtime costs more. */
const shortMax = 40
/** Texts seen lately, so that names which come with every value are not made anew each time. */
const seen = Array<string>(2_048).fill('')

/** Bytes that stay between two values; what a larger one needs is given back. */
const roomKept = 256 * 1024

/** Writes values one after the other into a buffer that grows. */
export class ValueWriter {
  #room = Buffer.allocUnsafeSlow(roomKept)
  #at = 0

  /** Begins anew, with so many bytes to be filled in later. */
  begin(bytes: number): void {
    this.#at = bytes
  }

  /** What was written since begin(). */
  end(): Buffer {
    const written = Buffer.allocUnsafe(this.#at)
    this.#room.copy(written, 0, 0, this.#at)
    if (this.#room.length > roomKept) this.#room = Buffer.allocUnsafeSlow(roomKept)
    return written
  }

  /** Throws a TypeError for what is none of the values that there are. */
  write(value: unknown): void {
    this.#reserve(9)
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'number':
        return this.#number(value)
      case 'boolean':
        return this.#tag(value ? tags.true : tags.false)
      case 'undefined':
        return this.#tag(tags.undefined)
      case 'object':
        if (value === null) return this.#tag(tags.null)
        if (Array.isArray(value)) return this.#list(value)
        if (value instanceof Uint8Array) return this.#bytes(value)
        return this.#object(value as Record<string, unknown>)
      case 'bigint':
      case 'symbol':
      case 'function':
        throw new TypeError(`a ${typeof value} cannot be said to the engine`)
    }
  }

  #tag(tag: number): void {
    this.#room[this.#at++] = tag
  }

  #number(value: number): void {
    if (value === (value | 0) && !Object.is(value, -0)) {
      this.#tag(tags.integer)
      this.#at = this.#room.writeInt32LE(value, this.#at)
    } else {
      this.#tag(tags.number)
      this.#at = this.#room.writeDoubleLE(value, this.#at)
    }
  }

  #count(tag: number, count: number): void {
    this.#tag(tag)
    this.#at = this.#room.writeUInt32LE(count, this.#at)
  }

  #text(value: string): void {
    if (value.length <= shortMax && this.#short(value)) return
    // What is no text in Unicode stays what it is.
    const isText = value.isWellFormed()
    const bytesMax = value.length * (isText ? 3 : 2)
    this.#reserve(5 + bytesMax)
    const start = this.#at
    this.#at += 5
    const bytes = this.#room.write(value, this.#at, bytesMax, isText ? 'utf8' : 'utf16le')
    this.#room[start] = isText ? tags.text : tags.units
    this.#room.writeUInt32LE(bytes, start + 1)
    this.#at += bytes
  }

  /** False, and nothing is written, when it is not ASCII. */
  #short(value: string): boolean {
    const { length } = value
    this.#reserve(2 + length)
    const room = this.#room
    const start = this.#at + 2
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index)
      if (unit > 0x7f) return false
      room[start + index] = unit
    }
    room[start - 2] = tags.short
    room[start - 1] = length
    this.#at = start + length
    return true
  }

  #bytes(value: Uint8Array): void {
    this.#reserve(5 + value.length)
    this.#count(tags.bytes, value.length)
    this.#room.set(value, this.#at)
    this.#at += value.length
  }

  #list(values: unknown[]): void {
    this.#count(listTag, values.length)
    for (const value of values) this.write(value)
  }

  #object(value: Record<string, unknown>): void {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) throw new TypeError('only plain objects can be said')
    const names = Object.keys(value)
    this.#count(objectTag, names.length)
    for (const name of names) {
      this.#text(name)
      this.write(value[name])
    }
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#room.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#room.length * 2, this.#at + bytes))
    this.#room.copy(larger, 0, 0, this.#at)
    this.#room = larger
  }
}

/** Reads values back. Buffers are views of the bytes. */
export class ValueReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The next value. Throws a RangeError when the bytes make no sense. */
  read(): unknown {
    const tag = this.#bytes[this.#at++] ?? endTag
    switch (tag) {
      case tags.undefined:
        return undefined
      case tags.null:
        return null
      case tags.false:
        return false
      case tags.true:
        return true
      case tags.integer:
        return this.#bytes.readInt32LE(this.#skip(4))
      case tags.number:
        return this.#bytes.readDoubleLE(this.#skip(8))
      case tags.short:
      case tags.text:
      case tags.units:
        return this.#text(tag)
      case tags.bytes: {
        const length = this.#count()
        const start = this.#skip(length)
        return this.#bytes.subarray(start, start + length)
      }
      case listTag: {
        const values: unknown[] = []
        for (let left = this.#count(); left > 0; left--) values.push(this.read())
        return values
      }
      case objectTag:
        return this.#object()
      default:
        throw new RangeError(`no value begins with ${tag}`)
    }
  }

  #object(): object {
    const value: Record<string, unknown> = {}
    for (let left = this.#count(); left > 0; left--) {
      const name = this.#text(this.#bytes[this.#at++] ?? endTag)
      if (name === '__proto__') throw new RangeError('an object with a prototype')
      value[name] = this.read()
    }
    return value
  }

  #text(tag: number): string {
    if (tag === tags.short) return this.#short()
    if (tag !== tags.text && tag !== tags.units) throw new RangeError(`no text begins with ${tag}`)
    const length = this.#count()
    const start = this.#skip(length)
    return this.#bytes.toString(tag === tags.text ? 'utf8' : 'utf16le', start, start + length)
  }

  #short(): string {
    const bytes = this.#bytes
    const length = bytes[this.#skip(1)]!
    const start = this.#skip(length)
    let place = length
    for (let index = 0; index < length; index++) place = (Math.imul(place, 31) + bytes[start + index]!) | 0
    place &= seen.length - 1
    const known = seen[place]!
    if (isSame(known, bytes, start, length)) return known
    const text = bytes.toString('latin1', start, start + length)
    seen[place] = text
    return text
  }

  /** A count of what takes a byte at least, each. */
  #count(): number {
    const count = this.#bytes.readUInt32LE(this.#skip(4))
    if (count > this.#bytes.length - this.#at) throw new RangeError('more is announced than there is')
    return count
  }

  /** Returns where it was. */
  #skip(bytes: number): number {
    const start = this.#at
    this.#at += bytes
    if (this.#at > this.#bytes.length) throw new RangeError('a value is cut short')
    return start
  }
}

function isSame(known: string, bytes: Buffer, start: number, length: number): boolean {
  if (known.length !== length) return false
  for (let index = 0; index < length; index++) if (known.charCodeAt(index) !== bytes[start + index]) return false
  return true
}
