/**
 * Proves the payloads of what proxies and controllers ask of a slot itself: encoding and decoding are inverses, a method of
 * the app is none of them, and what is damaged is a FormatError.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { publicationJson } from '../../../protocol/client/publication.ts'
import { FormatError } from '../../../protocol/records/errors.ts'
import { decodeRecovered, decodeRequest } from '../../../protocol/records/runtime.ts'
import { encodeRecovered, encodeRequest } from '../../../protocol/records/runtime.ts'
import type { RecoverRange, RuntimeRequest } from '../../../protocol/records/runtime.ts'
import { holds } from '../../support/holds.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const count = fc.maxSafeNat()

const range: fc.Arbitrary<RecoverRange> = fc.record(
  { after: count, upTo: count, limit: count, bytesMax: count },
  { requiredKeys: ['after', 'upTo', 'limit'], noNullPrototype: true },
)

const request: fc.Arbitrary<RuntimeRequest> = fc.oneof(
  fc.constantFrom({ method: 'subscribe' as const }, { method: 'close' as const }),
  fc.array(text, { maxLength: 5 }).map((channels) => ({ method: 'tops' as const, channels })),
  text.map((instance) => ({ method: 'gone' as const, instance })),
  range.map((range) => ({ method: 'recover' as const, range })),
)

void t.test('what is asked is what is heard', async (t) => {
  holds(
    t,
    fc.property(request, (request) => {
      assert.deepEqual(decodeRequest(request.method, encodeRequest(request)), request)
    }),
  )
})

void t.test('a method of the app is no request of the runtime, whatever it brings', async (t) => {
  for (const method of ['publish', 'history', 'chat.send', 'subscribe.all', 'Subscribe', ''])
    t.equal(decodeRequest(method, Buffer.from('anything')), null, method)
})

void t.test('subscribe and close bring nothing', async (t) => {
  for (const method of ['subscribe', 'close'] as const) {
    t.equal(encodeRequest({ method }).length, 0)
    t.strictSame(decodeRequest(method, Buffer.from('of another version')), { method })
  }
})

void t.test('damaged ones are refused', async (t) => {
  const damaged: [method: string, payload: string][] = [
    ['tops', ''],
    ['tops', '{'],
    ['tops', '"room"'],
    ['tops', '["room", 7]'],
    ['recover', ''],
    ['recover', '[]'],
    ['recover', '{"after":1,"upTo":2}'],
    ['recover', '{"after":1,"upTo":"2","limit":3}'],
    ['recover', '{"after":1.5,"upTo":2,"limit":3}'],
    ['recover', '{"after":1,"upTo":2,"limit":3,"bytesMax":"4"}'],
  ]
  for (const [method, payload] of damaged)
    t.throws(() => decodeRequest(method, Buffer.from(payload)), FormatError, `${method} ${payload}`)
})

void t.test('any bytes are a request or a FormatError', async (t) => {
  const method = fc.constantFrom('subscribe', 'close', 'tops', 'gone', 'recover', 'publish')
  holds(
    t,
    fc.property(method, fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from)), (method, bytes) => {
      try {
        decodeRequest(method, Buffer.from(bytes))
      } catch (error) {
        assert.ok(error instanceof FormatError)
      }
    }),
  )
})

void t.test('what was recovered comes as it was published, one by one', async (t) => {
  const publication = fc.record({
    offset: count,
    time: count,
    data: fc.json().map((json) => Buffer.from(json)),
    info: fc.constantFrom(null, '{"user":"ada"}'),
    tags: fc.constantFrom(null, '{"a":"b,c"}'),
  })
  holds(
    t,
    fc.property(fc.array(publication, { maxLength: 5 }), (publications) => {
      const body = Buffer.from(encodeRecovered(publications))
      assert.deepEqual(decodeRecovered(body), publications.map(publicationJson))
    }),
  )
})
