/**
 * Proves the small decisions of a proxy on their own: where a recovering client stands, how
 * many commands are let through, how a frame is laid out.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as fc from 'fast-check'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { questionsFor, topsMax } from '../../proxy/channels/position-check.ts'
import { topsAnswerBytesMax } from '../../protocol/records/sizes.ts'
import { decideRecovery } from '../../proxy/channels/recovery.ts'
import { textFrame } from '../../proxy/transports/websocket/frames.ts'
import { ClientWebSocket } from '../../proxy/transports/websocket/socket.ts'
import { takeToken } from '../../proxy/sessions/token-bucket.ts'
import { holds } from '../support/holds.ts'

void t.test('recovery', async (t) => {
  const stream = { epoch: 'e', top: 5 }
  t.equal(decideRecovery(null, stream), 'fresh')
  t.equal(decideRecovery({ epoch: 'e', offset: 5 }, stream), 'level')
  t.equal(decideRecovery({ epoch: '', offset: 5 }, stream), 'level')
  for (const offset of [0, 4]) t.equal(decideRecovery({ epoch: 'e', offset }, stream), 'behind')
  t.equal(decideRecovery({ epoch: 'e', offset: 6 }, stream), 'lost')
  for (const offset of [0, 5, 6]) t.equal(decideRecovery({ epoch: '_', offset }, stream), 'lost')
})

void t.test('a bucket lets its burst through, and in the long run its rate', async (t) => {
  const arrivals = fc.array(fc.nat({ max: 400 }), { maxLength: 60 })
  holds(
    t,
    fc.property(arrivals, fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 20 }), (gaps, rate, burst) => {
      const bucket = { tokens: burst, at: 0 }
      let now = 0
      let taken = 0
      for (const gap of gaps) {
        now += gap
        if (takeToken(bucket, now, rate, burst)) taken++
        // A rounding error of the sums is no token.
        if (taken > burst + (now / 1000) * rate + 1e-6) return false
      }
      return taken >= Math.min(gaps.length, burst)
    }),
  )
  const bucket = { tokens: 2, at: 0 }
  t.strictSame(
    [0, 0, 0, 99, 100, 101].map((now) => takeToken(bucket, now, 10, 2)),
    [true, true, false, false, true, false],
  )
})

void t.test('questions for tops have answers that fit, whatever the names are', async (t) => {
  const name = fc.string({ unit: 'binary', maxLength: 255 })
  holds(
    t,
    fc.property(fc.array(name, { maxLength: 40 }), fc.integer({ min: 1, max: 100 }), (some, times) => {
      const names = Array.from({ length: times }, () => some).flat()
      const questions = questionsFor(names)
      assert.deepEqual(questions.flat(), names)
      for (const question of questions) {
        assert.ok(question.length > 0 || questions.length === 1)
        const answer = JSON.stringify(question.map((name) => [name, 'e'.repeat(8), Number.MAX_SAFE_INTEGER]))
        assert.ok(question.length <= topsMax && Buffer.byteLength(answer) <= topsAnswerBytesMax)
      }
    }),
  )
  t.strictSame(questionsFor([]), [[]], 'one without names shows what was lost')
})

void t.test('a frame is what a WebSocket library reads, whatever its length', async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, WebSocket: ClientWebSocket })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const connection = once(server, 'connection')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(() => client.terminate())
  const [socket, request] = (await connection) as [ClientWebSocket, IncomingMessage]
  socket.begin(request.socket)
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]) {
    for (const unit of ['x', 'é', '😀']) {
      const text = unit.repeat(length / Buffer.byteLength(unit))
      const message = once(client, 'message')
      socket.write(textFrame(text))
      const [data, isBinary] = (await message) as [Buffer, boolean]
      t.ok(!isBinary && data.toString() === text, `${Buffer.byteLength(text)} bytes`)
    }
  }
})
