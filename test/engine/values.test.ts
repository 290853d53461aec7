/** Values come back as they were written, numbers and text to the bit; bytes that are none are refused. */
import * as fc from 'fast-check'
import t from 'tap'
import { ValueReader, ValueWriter } from '../../engine/values.ts'

const writer = new ValueWriter()

function bytesOf(value: unknown): Buffer {
  writer.begin(0)
  writer.write(value)
  return writer.end()
}

function copyOf(value: unknown): unknown {
  const reader = new ValueReader(bytesOf(value))
  const copy = reader.read()
  return reader.isAtEnd ? copy : t.fail('something is left')
}

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(undefined, null, true, false),
    fc.integer(),
    fc.double(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.string({ unit: 'grapheme-ascii', maxLength: 100 }),
    // Halves of characters, too.
    fc.array(fc.nat({ max: 0xffff }), { maxLength: 60 }).map((units) => String.fromCharCode(...units)),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string({ unit: 'binary' }).filter((name) => name !== '__proto__'),
      tie('value'),
      { noNullPrototype: true },
    ),
  ),
})).value

void t.test('what is written comes back', async (t) => {
  fc.assert(
    fc.property(plain, (value) => t.strictSame(copyOf(value), value)),
    { numRuns: 500 },
  )
  for (const value of [0, -0, 2 ** 31, -(2 ** 31), 2 ** 31 - 1, 2 ** 53, NaN, Infinity, Number.MIN_VALUE])
    t.ok(Object.is(copyOf(value), value), `${value}`)
})

void t.test('more than the writer has room for, and little after it', async (t) => {
  const large = [Buffer.alloc(3_000_000, 'x'), 'é'.repeat(1_000_000), 'x'.repeat(1_000_000), 7]
  t.ok(Buffer.compare(bytesOf(large), bytesOf(large)) === 0)
  t.strictSame(copyOf(large), large)
  t.strictSame(copyOf({ a: 1 }), { a: 1 })
})

void t.test('bytes stay bytes, as views of what came', async (t) => {
  const bytes = bytesOf([new Uint8Array([1, 2, 3])])
  const [copy] = new ValueReader(bytes).read() as [Buffer]
  t.ok(Buffer.isBuffer(copy))
  t.equal(copy.buffer, bytes.buffer)
})

void t.test('what is no plain value is not written', async (t) => {
  for (const value of [7n, Symbol.iterator, () => {}, new Map(), new Date(0), new Float64Array(1), [new Set()]])
    t.throws(() => bytesOf(value), { name: 'TypeError' })
  t.strictSame(copyOf('the next one'), 'the next one')
})

void t.test('any bytes are a value or a RangeError, never more than there is', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 11 }), (bytes, tag) => {
      try {
        new ValueReader(Buffer.from([tag, ...bytes])).read()
      } catch (error) {
        return error instanceof RangeError
      }
      return true
    }),
    { numRuns: 2_000 },
  )
  // Lists, objects and bytes that say how long they are.
  for (const tag of [10, 11, 9, 7]) t.throws(() => new ValueReader(Buffer.from([tag, 255, 255, 255, 255])).read())
  const cut = bytesOf({ a: 'text', b: [1, Buffer.from('x')] })
  for (let at = 0; at < cut.length; at++)
    t.throws(() => new ValueReader(cut.subarray(0, at)).read(), { name: 'RangeError' }, `cut at ${at}`)
})

void t.test('no member is a prototype', async (t) => {
  const value = JSON.parse('{"__proto__":{"a":1}}') as object
  t.throws(() => copyOf(value), { name: 'RangeError' })
})
