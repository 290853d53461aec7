/** Proves what proxies write: one line of JSON per message, with the members that every SDK expects. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { disconnects, errors, unsubscribes } from '../../../protocol/client/codes.ts'
import { encodeMessage } from '../../../protocol/client/json-messages.ts'
import { publicationJson } from '../../../protocol/client/publication.ts'
import { holds } from '../../support/holds.ts'

void t.test('replies', async (t) => {
  t.equal(encodeMessage({ kind: 'reply', id: 1, method: 'unsubscribe', result: '{}' }), '{"id":1,"unsubscribe":{}}')
  t.strictSame(JSON.parse(encodeMessage({ kind: 'error', id: 2, error: errors.permissionDenied })), {
    id: 2,
    error: { code: 103, message: 'permission denied' },
  })
  t.strictSame(JSON.parse(encodeMessage({ kind: 'error', id: 3, error: errors.internal })).error.temporary, true)
  t.equal(
    encodeMessage({ kind: 'subscribed', id: 4, result: {}, publications: [] }),
    '{"id":4,"subscribe":{}}',
    'the result is there even when it is empty',
  )
  t.equal(
    encodeMessage({ kind: 'subscribed', id: 4, result: {}, publications: ['{"offset":1}'] }),
    '{"id":4,"subscribe":{"publications":[{"offset":1}]}}',
  )
  t.strictSame(
    JSON.parse(
      encodeMessage({
        kind: 'subscribed',
        id: 5,
        result: { recovered: true, epoch: 'e', offset: 0 },
        publications: ['{"a":1}', '{"a":2}'],
      }),
    ),
    {
      id: 5,
      subscribe: { recovered: true, epoch: 'e', offset: 0, publications: [{ a: 1 }, { a: 2 }] },
    },
  )
})

void t.test('pushes', async (t) => {
  t.equal(encodeMessage({ kind: 'ping' }), '{}')
  holds(
    t,
    fc.property(fc.string({ unit: 'binary' }), (channel) => {
      const text = encodeMessage({ kind: 'publication', channel, publication: '{"data":1.0}' })
      assert.ok(!text.includes('\n'))
      assert.deepEqual(JSON.parse(text), { push: { channel, pub: { data: 1 } } })
      assert.deepEqual(
        JSON.parse(encodeMessage({ kind: 'unsubscribed', channel, reason: unsubscribes.insufficient })),
        {
          push: { channel, unsubscribe: { code: 2500, reason: 'insufficient state' } },
        },
      )
    }),
  )
})

void t.test('a disconnect push says whether the client comes back', async (t) => {
  const reconnects = (code: number) =>
    Boolean(JSON.parse(encodeMessage({ kind: 'disconnect', reason: { code, reason: 'r' } })).push.disconnect.reconnect)
  t.strictSame(JSON.parse(encodeMessage({ kind: 'disconnect', reason: disconnects.shutdown })), {
    push: { disconnect: { code: 3001, reason: 'shutdown', reconnect: true } },
  })
  for (const code of [3000, 3499, 4000, 4499, 5000]) t.equal(reconnects(code), true, `${code}`)
  for (const code of [3500, 3999, 4500, 4999]) t.equal(reconnects(code), false, `${code}`)
})

void t.test('a publication carries what its message has', async (t) => {
  const message = {
    channel: 'c',
    offset: 7,
    id: 'i',
    kind: 'message' as const,
    user: 'ada',
    data: Buffer.from('{"n":1.0,"é":12345678901234567890}'),
    info: null,
    tags: null,
    time: 9,
    idem: null,
  }
  t.equal(publicationJson(message), '{"offset":7,"data":{"n":1.0,"é":12345678901234567890},"time":9}')
  t.strictSame(JSON.parse(publicationJson({ ...message, info: '{"user":"ada","client":"s"}', tags: '{"v":"1"}' })), {
    offset: 7,
    data: { n: 1, é: 1.2345678901234567e19 },
    info: { user: 'ada', client: 's' },
    tags: { v: '1' },
    time: 9,
  })
})
