/**
 * Proves what a proxy's public WebSocket does with bytes that are broken or hostile: in any pieces, ending anywhere, frames
 * that no library makes, a client that does not read. Each gets the documented answer or close, leaves nothing behind, and
 * nobody else notices: two witnesses chat throughout and lose nothing.
 */
import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import t from 'tap'
import { disconnects, errors } from '../../protocol/client/codes.ts'
import { fragmentsMax, piecesMax } from '../../proxy/transports/websocket/route.ts'
import { BareClient, upgradeRequest } from '../harness/clients/bare-client.ts'
import { clientFrame, closeCode, fragments, opcodes, serverFrames } from '../harness/clients/frames.ts'
import { until } from '../support/until.ts'
import { Target, isAnswered } from './target.ts'

const target = await Target.start()
const { served, connectCommand } = target
const open = (command?: string) => target.open(command)
const nothingLeft = () => target.nothingLeft()

const bytesOf = (client: BareClient): Buffer => Buffer.from(client.received, 'latin1')
const talk = Buffer.concat([
  Buffer.from(upgradeRequest),
  clientFrame(connectCommand),
  clientFrame('{"id":2,"subscribe":{"channel":"cut"}}\n{"id":3,"rpc":{"method":"nothing"}}'),
])

/** Runs `work` for every number below `count`, some at a time. */
async function forEach(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: 16 }, lane))
}

void t.test('a talk that is cut at every byte', async (t) => {
  let good = 0
  await forEach(talk.length, async (cut) => {
    using client = await BareClient.open(served)
    client.socket.write(talk.subarray(0, cut))
    // The rest comes in a later read than this.
    for (let turn = 0; turn < 4; turn++) await setImmediate()
    client.socket.write(talk.subarray(cut))
    await until(`cut at ${cut}: all is answered`, () => isAnswered(client, 2) && isAnswered(client, 3))
    good++
  })
  t.equal(good, talk.length)
  await nothingLeft()
})

void t.test('a writer that sends one byte at a time', async (t) => {
  await forEach(8, async () => {
    using client = await BareClient.open(served)
    for (const byte of talk) {
      client.socket.write(Buffer.from([byte]))
      await setImmediate()
    }
    await until('all is answered', () => isAnswered(client, 2) && isAnswered(client, 3))
  })
  t.pass('is answered as any other')
  await nothingLeft()
})

void t.test('a talk that ends at every byte, in order or by a reset', async (t) => {
  await forEach(talk.length, async (end) => {
    using client = await BareClient.open(served)
    client.socket.write(talk.subarray(0, end))
    for (let turn = 0; turn < 4; turn++) await setImmediate()
    if (end % 2 === 0) client.socket.end()
    else client.socket.resetAndDestroy()
    await until(`ended at ${end}: it is closed`, () => client.closed)
  })
  await nothingLeft()
  t.pass('leaves nothing behind')
})

void t.test('a message in fragments', async (t) => {
  using client = await open(connectCommand)
  const ping = clientFrame('hey', { opcode: opcodes.ping })
  const message = (id: number): string => `{"id":${id},"rpc":{"method":"é😀","data":[1,2]}}`
  const length = Buffer.byteLength(message(1_000))
  const answered = async (id: number, bytes: Buffer): Promise<void> => {
    client.socket.write(bytes)
    await until(`${id} is answered`, () => isAnswered(client, id))
  }
  for (let cut = 0; cut <= length; cut++) await answered(1_000 + cut, fragments(message(1_000 + cut), [cut], ping))
  const everywhere = Array.from({ length: fragmentsMax - 1 }, (_, at) => Math.min(at + 1, length))
  await answered(2_000, fragments(message(2_000), everywhere, ping))
  const empty = Array.from({ length: fragmentsMax - 1 }, () => 0)
  await answered(2_001, fragments(message(2_001), empty))
  const replies = serverFrames(bytesOf(client)).filter(({ opcode }) => opcode === opcodes.text)
  const codes = replies.flatMap(({ payload }) =>
    payload
      .toString()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: number; error?: { code: number } })
      .filter(({ id }) => id >= 1_000)
      .map(({ error }) => error?.code),
  )
  t.strictSame(new Set(codes), new Set([errors.notAvailable.code]), 'each is the very message')
  t.equal(codes.length, length + 3)
})

/** Frames that end a connection, each sent before connect and after. */
const breaches: [name: string, bytes: Buffer, code: number][] = [
  ['without a mask', clientFrame('{}', { isMasked: false }), 1002],
  ['a reserved bit: compressed', clientFrame('{}', { reserved: 4 }), 1002],
  ['all reserved bits', clientFrame('{}', { reserved: 7 }), 1002],
  ['a reserved opcode', clientFrame('{}', { opcode: 3 }), 1002],
  ['a reserved control opcode', clientFrame('', { opcode: 11 }), 1002],
  ['a ping in fragments', clientFrame('', { opcode: opcodes.ping, fin: false }), 1002],
  ['a ping that is too long', clientFrame('x'.repeat(126), { opcode: opcodes.ping }), 1002],
  ['a continuation of nothing', clientFrame('{}', { opcode: opcodes.continuation }), 1002],
  ['a message within another', Buffer.concat([clientFrame('{', { fin: false }), clientFrame('{}')]), 1002],
  ['text that is not UTF-8', clientFrame(Buffer.from([0x22, 0xff, 0xfe, 0x22])), 1007],
  ['half a character', clientFrame(Buffer.from([0x22, 0xe2, 0x82])), 1007],
  ['a close of one byte', clientFrame(Buffer.from([3]), { opcode: opcodes.close }), 1002],
  ['a close with a code that may not be sent', clientFrame(Buffer.from([3, 0xed]), { opcode: opcodes.close }), 1002],
  ['a frame that says it is too long', clientFrame('', { claimedBytes: 65_537n }), 1009],
  ['a frame that says it is huge', clientFrame('', { claimedBytes: 2n ** 52n }), 1009],
  ['a frame beyond all numbers', clientFrame('', { claimedBytes: 2n ** 64n - 1n }), 1009],
  ['fragments that are too long together', fragments('x'.repeat(70_000), [30_000, 60_000]), 1009],
  [
    'fragments without an end',
    fragments(
      '',
      Array.from({ length: fragmentsMax }, () => 0),
    ),
    1008,
  ],
  [
    '112 KB in fragments of one byte',
    Buffer.concat([
      clientFrame('{', { fin: false }),
      ...Array.from({ length: 16_000 }, () => clientFrame('x', { opcode: opcodes.continuation, fin: false })),
    ]),
    1008,
  ],
  ['a binary message', clientFrame('{}', { opcode: opcodes.binary }), disconnects.badRequest.code],
  [
    'a binary message in fragments',
    Buffer.concat([
      clientFrame('{', { opcode: opcodes.binary, fin: false }),
      clientFrame('}', { opcode: opcodes.continuation }),
    ]),
    disconnects.badRequest.code,
  ],
  [
    'a large binary message',
    clientFrame(Buffer.alloc(60_000, 0xff), { opcode: opcodes.binary }),
    disconnects.badRequest.code,
  ],
]

void t.test('frames that are none of the protocol', async (t) => {
  for (const [name, bytes, code] of breaches) {
    for (const command of [undefined, connectCommand]) {
      using client = await open(command)
      client.socket.write(bytes)
      await until(`${name}: it is closed`, () => closeCode(bytesOf(client)) !== 0 || client.closed)
      t.equal(closeCode(bytesOf(client)), code, `${name}, ${command === undefined ? 'before connect' : 'connected'}`)
    }
  }
  await nothingLeft()
})

void t.test('a frame that comes in ever smaller pieces', async (t) => {
  using client = await open()
  const bytes = clientFrame('x'.repeat(60_000))
  let sent = 0
  while (closeCode(bytesOf(client)) === 0 && !client.closed && sent < 2_000) {
    client.socket.write(bytes.subarray(sent, ++sent))
    // Each is a read of its own for the proxy.
    for (let turn = 0; turn < 4; turn++) await setImmediate()
  }
  t.equal(closeCode(bytesOf(client)), 1008)
  t.ok(sent > piecesMax(65_536) && sent < 2_000, `after ${sent}`)
  await nothingLeft()
})

void t.test('any bytes after the upgrade', async (t) => {
  const frame = fc
    .record({
      opcode: fc.integer({ min: 0, max: 15 }),
      fin: fc.boolean(),
      reserved: fc.constantFrom(0, 0, 0, 1, 4),
      isMasked: fc.constantFrom(true, true, true, false),
      payload: fc.oneof(fc.json(), fc.string({ unit: 'binary' })),
    })
    .map(({ payload, ...options }) => clientFrame(payload, options))
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((array) => Buffer.from(array)),
    fc.array(frame, { minLength: 1, maxLength: 6 }).map((frames) => Buffer.concat(frames)),
  )
  const codes = new Set<number>()
  await fc.assert(
    fc.asyncProperty(bytes, fc.boolean(), async (bytes, isConnected) => {
      using client = await open(isConnected ? connectCommand : undefined)
      client.socket.end(bytes)
      await until('it is closed', () => client.closed)
      codes.add(closeCode(bytesOf(client)))
    }),
    { numRuns: 150 },
  )
  // 0: the client was gone, or said a proper goodbye without a code.
  // From 1000 on: WebSocket's own (RFC 6455, section 7.4).
  const known = new Set([0, 1000, 1002, 1003, 1007, 1008, 1009])
  t.strictSame(
    [...codes].filter((code) => !known.has(code) && !(code >= 3000 && code <= 4999)),
    [],
    [...codes].join(' '),
  )
  await nothingLeft()
})

void t.test('a client that pings and does not read is served once it does', async (t) => {
  using pinging = await open(connectCommand)
  pinging.socket.pause()
  const ping = clientFrame('x'.repeat(125), { opcode: opcodes.ping })
  for (let sent = 0; sent < 100_000; sent += 1_000) {
    pinging.socket.write(Buffer.concat(Array.from({ length: 1_000 }, () => ping)))
    await setImmediate()
  }
  pinging.socket.resume()
  pinging.socket.write(clientFrame('{"id":2,"rpc":{}}'))
  await until('it is answered', () => isAnswered(pinging, 2))
  t.notOk(pinging.closed)
  pinging.socket.destroy()
  await nothingLeft()
})

void t.test('nobody else noticed', (t) => target.unnoticed(t))
