/** Frames come out as they went in, however the stream is cut; what cannot be a frame is refused. */
import * as fc from 'fast-check'
import t from 'tap'
import { FrameDecoder, encodeFrame, encodeFrames } from '../../engine/frames.ts'
import type { ClientMessage } from '../../engine/messages.ts'

const messages = fc.array(
  fc.array(
    fc
      .tuple(fc.nat(), fc.string(), fc.uint8Array({ maxLength: 300 }))
      .map(([id, name, bytes]): ClientMessage => [
        'request',
        id,
        'log',
        name,
        [Buffer.from(bytes), null, undefined, [name]],
      ]),
    { minLength: 1, maxLength: 4 },
  ),
  { maxLength: 5 },
)

void t.test('any cut of any frames', async (t) => {
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (frames, cuts) => {
      const stream = Buffer.concat(frames.map((frame) => encodeFrame(frame)))
      const decoder = new FrameDecoder<ClientMessage>()
      const out: ClientMessage[] = []
      for (let at = 0, cut = 0; at < stream.byteLength; cut += 1) {
        const end = at + (cuts[cut % cuts.length] ?? 1)
        out.push(...decoder.push(stream.subarray(at, end)).flat())
        at = end
      }
      const expected = frames.flat()
      const same = t.strictSame(out, expected)
      return same && out.every((message) => Buffer.isBuffer((message[4] as unknown[])[0]))
    }),
    { numRuns: 60 },
  )
})

void t.test('what is too much for one frame goes in several', async (t) => {
  const large = (id: number): ClientMessage => ['request', id, 'log', 'append', [Buffer.alloc(id * 100, id)]]
  const given = Array.from({ length: 20 }, (_, id) => large(id))
  const bound = 2_500
  const frames = encodeFrames(given, bound)
  t.ok(frames.length > 5 && frames.every((frame) => frame.byteLength <= bound))
  t.strictSame(new FrameDecoder<ClientMessage>().push(Buffer.concat(frames)).flat(), given)
  t.equal(encodeFrames(given).length, 1)
  t.equal(encodeFrames([large(100)], bound).length, 1, 'one message is not cut')
})

void t.test('a length beyond the bound', async (t) => {
  t.throws(() => new FrameDecoder().push(Buffer.from([255, 255, 255, 255, 0])), { name: 'RangeError' })
})
