/** Proves that our own encoding of Kafka's record batches and numbers gives back what it took, and believes nothing. */
import { array, assert, integer, maxSafeInteger, nat, option, property, record, string, uint8Array } from 'fast-check'
import t from 'tap'
import { ByteReader, ByteWriter } from '../../../../log/kafka/wire/bytes.ts'
import { batchRoom, readBatches, writeBatch } from '../../../../log/kafka/wire/record-batch.ts'
import type { LogEntry } from '../../../../log/log.ts'
import { entries, numbers, numbersOf } from '../tools.ts'

/** A batch as a broker hands it out. */
function batch(entries: LogEntry[], base: number, change: (bytes: Buffer) => void = () => {}): Buffer {
  const writer = new ByteWriter(batchRoom(entries))
  writeBatch(writer, [entries])
  writer.buffer.writeBigInt64BE(BigInt(base), 0)
  change(writer.written)
  return writer.written
}

const read = (batches: Buffer[], from: number) => readBatches(new ByteReader(Buffer.concat(batches)), from, [])

void t.test('numbers of every size come back', async () => {
  const small = integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  assert(
    property(small, maxSafeInteger(), string(), (small, large, text) => {
      const writer = new ByteWriter(64 + 6 * text.length)
      writer.signed(small)
      writer.unsigned(small >>> 0)
      writer.int64(large)
      writer.compactString(text)
      const reader = new ByteReader(writer.written)
      const back = [reader.signed(), reader.unsigned(), reader.int64(), reader.compactString()]
      return [small, small >>> 0, large, text.toWellFormed()].every((value, index) => value === back[index])
    }),
  )
})

void t.test('any entries come back, with their offsets', async () => {
  const bytes = uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
  const entry = record({ key: option(bytes), value: bytes })
  assert(
    property(array(entry, { minLength: 1, maxLength: 200 }), nat(2 ** 31), (given, base) => {
      const run = read([batch(given, base)], base)
      return (
        run.next === base + given.length &&
        run.records.length === given.length &&
        run.records.every(
          ({ offset, key, value }, index) =>
            offset === base + index &&
            value.equals(given[index]!.value) &&
            (key === null ? given[index]!.key === null : key.equals(given[index]!.key!)),
        )
      )
    }),
  )
})

void t.test('reading begins at its place, and a batch that was cut off is for the next fetch', async (t) => {
  const batches = [batch(entries(0, 10), 0), batch(entries(20, 10), 20)]
  t.same(numbersOf(read(batches, 4).records), [...numbers(4, 6), ...numbers(20, 10)], 'over a hole too')
  const whole = Buffer.concat(batches)
  for (const length of [whole.length - 1, batches[0]!.length + 30, batches[0]!.length]) {
    const run = read([whole.subarray(0, length)], 0)
    t.same([numbersOf(run.records), run.next], [numbers(0, 10), 10])
  }
  t.same(read([whole.subarray(0, 40)], 0), { records: [], bytes: 0, next: 0, epoch: -1 })
})

void t.test('what cannot be read is refused', async (t) => {
  // Attributes are counted in the checksum: the reader only looks at it before what it says.
  t.throws(() => read([batch(entries(0, 1), 0, (bytes) => bytes.writeUInt8(1, bytes.length - 2))], 0), {
    message: /checksum/,
  })
  t.throws(() => read([batch(entries(0, 1), 0, (bytes) => bytes.writeInt8(1, 16))], 0), { code: 'topic_mismatch' })
})
