/** Proves that keys go where Kafka's default partitioner puts them. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { murmur2, partitionOf } from '../../protocol/partition.ts'
import { holds } from '../support/holds.ts'

/** The cases of Kafka's own UtilsTest.testMurmur2, and lengths whose last block is 0 to 3 bytes. */
const vectors: [key: string, hash: number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
  ['', 275646681],
  ['1', -1993445489],
  ['12', 126087238],
  ['123', -267702483],
  ['1234', -1614185708],
  ['12345', -1188365604],
]

void t.test('murmur2 as Kafka computes it', async (t) => {
  for (const [key, hash] of vectors) t.equal(murmur2(Buffer.from(key)), hash, key)
})

void t.test('the sign bit is dropped before the remainder', async (t) => {
  t.equal(partitionOf('foobar', 10), 6)
  t.equal(partitionOf('foobar', 50), 16)
  t.equal(partitionOf('abc', 16), 479470107 % 16)
})

void t.test('every key has one partition, by its UTF-8', async (t) => {
  holds(
    t,
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 1_024 }), (key, partitions) => {
      const partition = partitionOf(key, partitions)
      assert.ok(Number.isInteger(partition) && partition >= 0 && partition < partitions)
      assert.equal(partition, (murmur2(new TextEncoder().encode(key)) & 0x7fffffff) % partitions)
    }),
  )
})
