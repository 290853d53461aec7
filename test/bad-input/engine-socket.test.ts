/**
 * Proves that nothing that is said on the engine's socket ends the engine or disturbs its other clients: bytes of any
 * kind, frames cut anywhere, messages and requests with values of any type, clients that are gone in the middle or
 * never speak. Each gets a refusal with a code, or its connection is closed.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import t from 'tap'
import { encodeFrame, FrameDecoder } from '../../engine/frames.ts'
import type { ClientMessage, ServerMessage } from '../../engine/messages.ts'
import { readPlace } from '../../engine/place.ts'
import { helloDeadlineMs } from '../../engine/server/peer.ts'
import type { LogRecord } from '../../log/log.ts'
import { EngineChild, openEmbeddedLog, temporaryDirectory } from '../engine/start-engine.ts'
import { until } from '../support/until.ts'

const dataDir = await temporaryDirectory(t)
await EngineChild.start(t, dataDir)
const path = (await readPlace(dataDir))!.socket

const topics = ['witness', 'other'].map((name) => ({ name, partitions: 1, compacted: false }))
const log = openEmbeddedLog(t, dataDir)
await log.createTopics(topics)
const reader = log.read('witness', 0, 0)
const following = log.read('other', 0, 0)

/** Nothing, and a frame that does not come: when each is closed, ms after it began; looked at in the last test. */
const patience = Promise.all(
  [Buffer.alloc(0), Buffer.from([9, 0, 0, 0])].map(async (said) => {
    const socket = createConnection(path)
    const start = performance.now()
    socket.write(said)
    await once(socket.resume(), 'close')
    return performance.now() - start
  }),
)

/** What a client of the engine sees while others do what they do: its records arrive, each once and in order. */
let said = 0
async function witness(): Promise<void> {
  const offset = await log.append('witness', 0, [{ key: null, value: Buffer.from(`${said}`) }])
  const records = await reader.next()
  assert.deepEqual(
    records.map((record) => [record.offset, record.value.toString()]),
    [[offset, `${said}`]],
  )
  assert.equal(offset, said++)
}

class Raw implements Disposable {
  readonly socket: Socket
  readonly received: ServerMessage[] = []
  closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    const decoder = new FrameDecoder<ServerMessage>()
    socket.on('data', (chunk) => this.received.push(...decoder.push(chunk as Buffer).flat()))
    // What goes wrong shows in how it closes.
    socket.on('error', () => {})
    socket.on('close', () => (this.closed = true))
  }

  static async open(): Promise<Raw> {
    const socket = createConnection(path)
    await once(socket, 'connect')
    return new Raw(socket)
  }

  /** Whatever it is, as one frame. */
  say(messages: unknown): void {
    this.socket.write(encodeFrame(messages as ClientMessage[]))
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

void t.test('bytes that are no frames', async (t) => {
  const frame = encodeFrame([
    ['hello', 'cut'],
    ['request', 1, 'log', 'range', ['witness', 0]],
  ])
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 100 }).map((array) => Buffer.from(array)),
    fc.tuple(fc.nat({ max: frame.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => {
      const changed = Buffer.from(frame)
      changed[at] = byte
      return changed
    }),
  )
  await fc.assert(
    fc.asyncProperty(bytes, async (bytes) => {
      using client = await Raw.open()
      client.socket.end(bytes)
      await until('it is closed', () => client.closed)
    }),
    { numRuns: 300 },
  )
  await witness()
  t.pass('end their connection and nothing else')
})

void t.test('a frame that is cut, or ends, at every byte', async (t) => {
  const request: ClientMessage[] = [
    ['hello', 'whole'],
    ['request', 1, 'log', 'range', ['other', 0]],
  ]
  const frame = encodeFrame(request)
  for (let at = 0; at < frame.length; at++) {
    using cut = await Raw.open()
    cut.socket.write(frame.subarray(0, at))
    using ended = await Raw.open()
    ended.socket.end(frame.subarray(0, at))
    await setImmediate()
    cut.socket.write(frame.subarray(at))
    await until('it is answered', () => cut.received.length === 1)
  }
  using slow = await Raw.open()
  for (const byte of frame) {
    slow.socket.write(Buffer.from([byte]))
    await setImmediate()
  }
  await until('one byte at a time, too', () => slow.received.length === 1)
  t.strictSame(slow.received, [['answer', 1, { oldest: 0, next: 0 }]])
  await witness()
})

/** Anything that can be said in a frame, and what nearly makes sense. */
const anything = fc.oneof(
  { weight: 5, arbitrary: fc.anything({ withSparseArray: true, maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.uint8Array() },
)
const topic = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('other', 'nowhere', '') },
  { weight: 1, arbitrary: anything },
)
const number = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 1, -1, 0.5, NaN, Infinity, 2 ** 53) },
  { weight: 1, arbitrary: anything },
)
const count = fc.constantFrom(0, 1, -1, 7, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER)
const entry = fc.oneof(
  anything,
  fc.record({
    key: fc.constantFrom(null, Buffer.from('k'), 'k', 7),
    value: fc.constantFrom(Buffer.from('v'), Buffer.from('w'), Buffer.from('x'), 'v', 7, null),
  }),
)
const values = fc.oneof(
  anything,
  fc.array(anything, { maxLength: 4 }),
  fc.tuple(topic, number),
  fc.tuple(topic, number, fc.array(entry, { maxLength: 3 })),
  fc.tuple(topic, number, number),
  fc.tuple(fc.constantFrom('default/0', 'default/9', ''), fc.array(anything, { maxLength: 2 })),
)
const names = [
  'createTopics',
  'append',
  'range',
  'trim',
  'read',
  'migrate',
  'lease',
  'leases',
  'commit',
  'acquire',
  'release',
  'channels',
  'messages',
  'outbox',
  'createGroup',
  'resetSlot',
  'constructor',
  '__proto__',
  'toString',
  'handle',
  '',
]
const message = fc.oneof(
  anything,
  fc.tuple(
    fc.constant('request'),
    number,
    fc.constantFrom('log', 'store', 'other', null),
    fc.oneof(fc.constantFrom(...names), anything),
    values,
  ),
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constant('request'),
      fc.nat(),
      fc.constantFrom('log', 'store'),
      fc.oneof(fc.constantFrom(...names), fc.string()),
      values,
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(entry, { minLength: 1, maxLength: 3 })
      .map((entries) => ['request', 1, 'log', 'append', ['other', 0, entries]]),
  },
  fc.tuple(fc.constant('follow'), number, topic, number, number, number),
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constant('follow'),
      fc.nat({ max: 99 }),
      fc.constantFrom('other', 'nowhere', ''),
      count,
      count,
      count,
    ),
  },
  fc.tuple(fc.constantFrom('credit', 'unfollow', 'hello', 'answer', 'dance'), number, number),
  fc.tuple(fc.constant('credit'), fc.nat({ max: 99 }), count),
  fc.tuple(fc.constant('unfollow'), fc.nat({ max: 99 })),
)
const frame = fc.oneof(
  { weight: 1, arbitrary: anything },
  { weight: 5, arbitrary: fc.array(message, { maxLength: 6 }) },
)

const entryOf = (text: string) => ({ key: Buffer.from(text), value: Buffer.from(text) })

/** A list of nothing takes a byte for each. */
const endless = Array<unknown>(1_000_000)

const examples: unknown[][] = [
  // One that is right: what it appends is there to be read, whatever chance adds.
  [['request', 1, 'log', 'append', ['other', 0, ['k', 'l', 'm'].map((text) => entryOf(text))]]],
  // Work that would never end, or not fit into memory.
  [['request', 1, 'store', 'createGroup', ['endless', 2 ** 53, 'origin']]],
  [['request', 1, 'log', 'createTopics', [[{ name: 'endless', partitions: 2 ** 53, compacted: false }]]]],
  [['request', 1, 'log', 'createTopics', [endless]]],
  [['request', 1, 'log', 'append', ['other', 0, endless]]],
  [['request', 1, 'log', 'range', endless]],
  [['request', 1, 'store', 'channels', ['default/0', endless]]],
  [['request', 1, 'store', 'idempotent', ['default/0', endless]]],
  [endless],
  endless,
  // Values that cannot be made text, where a name is wanted: they once ended the engine.
  [['follow', 1, { toString: [] }, 0, 0, 1]],
  [['request', 1, 'store', { toString: [] }, []]],
  // One reader twice: the first would never be forgotten.
  [
    ['follow', 1, 'other', 0, 0, 1],
    ['follow', 1, 'other', 0, 0, 1],
  ],
]

/** None of the other requests has it. */
const lastId = 2 ** 40

void t.test('frames that say anything', async (t) => {
  const seen = { closed: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 3 }), fc.boolean(), async (frames, isGone) => {
      using client = await Raw.open()
      for (const frame of frames) client.say(frame)
      if (isGone) return void client.socket.destroy()
      client.say([['request', lastId, 'log', 'range', ['witness', 0]]])
      const isLast = ([, id]: ServerMessage): boolean => id === lastId
      await until('an answer or the end', () => client.closed || client.received.some(isLast))
      if (client.closed) seen.closed++
      seen.refused += client.received.filter(([kind]) => kind === 'refusal').length
      await witness()
    }),
    { numRuns: 500, examples: examples.map((frame): [unknown[], boolean] => [[frame], false]) },
  )
  t.ok(seen.closed > 10 && seen.refused > 10, JSON.stringify(seen))
})

void t.test('what such a client gets into a topic is read by others as records', async (t) => {
  await log.append('other', 0, [{ key: null, value: Buffer.from('end') }])
  // A request that happened to be right may have trimmed it.
  const { oldest, next } = await log.range('other', 0)
  t.ok(next > 3, `${next} records`)
  for (const reader of [following, log.read('other', 0, oldest)]) {
    const seen: LogRecord[] = []
    while ((seen.at(-1)?.offset ?? -1) < next - 1) seen.push(...(await reader.next()))
    const wrong = seen.filter(({ key, value }) => !(key === null || Buffer.isBuffer(key)) || !Buffer.isBuffer(value))
    t.strictSame(wrong, [])
  }
})

void t.test('many that never speak, and one that announces a frame and keeps it', async (t) => {
  const silent = await Promise.all(Array.from({ length: 500 }, () => Raw.open()))
  using owing = await Raw.open()
  const length = Buffer.alloc(4)
  length.writeUInt32LE(200 * 1024 * 1024)
  owing.socket.write(length)
  for (let i = 0; i < 20; i++) await witness()
  for (const client of silent) client[Symbol.dispose]()
  await witness()
  t.pass('nobody waits for them')
})

void t.test('whoever never says who it is does not stay', async (t) => {
  for (const ms of await patience) t.ok(ms < helloDeadlineMs + 5_000, `${Math.round(ms)} ms`)
  await witness()
})
