/**
 * Proves on a proxy in a process of its own that floods are bounded and leave nothing behind: thousands of connections
 * that never speak are closed as stale after client.stale_close_delay, and after round upon round of clients that are broken,
 * hostile, slow or just gone the process holds what it held before. Two witnesses chat throughout and lose nothing.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { disconnects } from '../../protocol/client/codes.ts'
import { closeGraceMs, sessionSweepMs } from '../../proxy/sessions/sessions.ts'
import { websocketPath } from '../../proxy/transports/websocket/route.ts'
import { upgradeRequest } from '../harness/clients/bare-client.ts'
import { clientFrame, closeCode, fragments, opcodes } from '../harness/clients/frames.ts'
import { Wire } from '../harness/clients/wire.ts'
import { tokenFor } from '../harness/tokens.ts'
import { cleanEnvironment } from '../support/process.ts'
import { until } from '../support/until.ts'
import type { Holdings } from './fixtures/proxy-process.ts'
import { Witness } from './witness.ts'

/** Connections of one flood. */
const floodSize = 2_500
const staleCloseDelayMs = 1_500
/** Longest time that a message of the witnesses may take meanwhile. */
const witnessMsMax = 3_000
/** How long it may take until everything is closed and collected. */
const settleDeadlineMs = 15_000
/** Clients of one round, and rounds that are compared. */
const roundSize = 150
const rounds = 3
/** What each client may leave behind on average: a connection that is kept would be ten thousand. */
const bytesPerClientMax = 800

/** What a message of the witnesses is in the log and the store. */
const messageBytesMax = 5_000

const program = fileURLToPath(new URL('fixtures/proxy-process.ts', import.meta.url))
const flags = {
  // Longer than all of this: the witnesses need not answer pings.
  'client.ping_interval': '10m',
  'client.stale_close_delay': `${staleCloseDelayMs}ms`,
  'client.queue_max_size': '100000',
  // Who asks and does not read is slow, not fast.
  'client.command_rate': '1000000',
  'client.command_burst': '1000000',
}
const child = fork(program, [JSON.stringify(flags)], { execArgv: ['--expose-gc'], env: cleanEnvironment() })
t.teardown(() => child.kill('SIGKILL'))
const [{ port }] = (await once(child, 'message')) as [{ port: number }]

async function holdings(): Promise<Holdings> {
  child.send('holdings')
  return ((await once(child, 'message')) as [Holdings])[0]
}

const token = await tokenFor('ada')
const forged = await tokenFor('ada', { key: 'another secret that nobody knows' })

async function connected(): Promise<Wire> {
  const wire = new Wire(`ws://127.0.0.1:${port}${websocketPath}`, [], {})
  await wire.opened
  await wire.connect(token)
  return wire
}

/** Bytes that the process holds once only the witnesses are left and what others had is collected. */
async function settled(bytesMax = Infinity): Promise<number> {
  let now = await holdings()
  const isSettled = async (): Promise<boolean> => {
    const before = now.bytes
    // Longer than a connection is kept for an answer to its close.
    await sleep(closeGraceMs + sessionSweepMs)
    now = await holdings()
    const isFalling = now.bytes < before * 0.99
    return now.sessions === 2 && now.connections === 2 && !isFalling && now.bytes < bytesMax
  }
  await until(`only the witnesses, in less than ${bytesMax} bytes`, isSettled, settleDeadlineMs).catch(
    (error: unknown) => {
      throw new Error(`there is still ${JSON.stringify(now)}`, { cause: error })
    },
  )
  return now.bytes
}

async function open(...said: (string | Buffer)[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  // What goes wrong shows in how it closes.
  socket.on('error', () => {})
  await once(socket, 'connect')
  for (const bytes of said) socket.write(bytes)
  return socket
}

/** The code with which the proxy closes a connection, once it is closed; 0 without one. */
async function closedWith(socket: Socket): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  let received = Buffer.alloc(0)
  socket.on('data', (data: Buffer) => {
    received = Buffer.concat([received, data])
    // Without this the proxy would wait for an answer to its close.
    if (closeCode(received) !== 0) socket.end()
  })
  socket.on('close', () => resolve(closeCode(received)))
  return promise
}

const [writer, reader] = [await connected(), await connected()]
// Its channel stays open, so that a subscription is the proxy's own matter and leaves nothing in the log.
await writer.command({ subscribe: { channel: 'room' } })

/** All but those who are too slow to hear it, and are cut off. */
function isTold(t: Test, codes: number[]): void {
  const told = codes.filter((code) => code === disconnects.stale.code).length
  t.ok(told >= codes.length * 0.95, `${told} of ${codes.length} are told why`)
  t.strictSame(
    [...new Set(codes)].filter((code) => code !== disconnects.stale.code && code !== 0),
    [],
    'nobody hears anything else',
  )
}

void t.test('a flood of connections that never speak', async (t) => {
  const witness = await Witness.start(writer, reader)
  const flood = async (): Promise<number[]> => {
    const codes: Promise<number>[] = []
    while (codes.length < floodSize) {
      const some = await Promise.all(Array.from({ length: 100 }, () => open(upgradeRequest)))
      for (const socket of some) codes.push(closedWith(socket))
    }
    const since = performance.now()
    const answers = await Promise.all(codes)
    const boundMs = staleCloseDelayMs + sessionSweepMs + closeGraceMs
    t.ok(
      performance.now() - since < boundMs + 2_000,
      `gone ${Math.round(performance.now() - since)} ms after the last came`,
    )
    return answers
  }
  isTold(t, await flood())
  const before = await settled()
  isTold(t, await flood())
  const { sent, received: heard, worstMs, stayed } = await witness.stop()
  t.ok(stayed && sent > 30, `${sent} messages of the witnesses`)
  t.strictSame(
    heard,
    Array.from({ length: sent }, (_, at) => at + 1),
    'nobody else noticed',
  )
  t.ok(worstMs < witnessMsMax, `the slowest took ${Math.round(worstMs)} ms`)
  // What the witnesses said is in the log and store, which are in that process too.
  const after = await settled(before + floodSize * bytesPerClientMax + sent * messageBytesMax)
  t.pass(`${before} bytes after the first flood, ${after} after the second`)
})

const connectFrame = clientFrame(JSON.stringify({ id: 1, connect: { token } }))
const rpcs = clientFrame(Array.from({ length: 1_000 }, (_, id) => `{"id":${id + 9},"rpc":{}}`).join('\n'))

/** What ends a connection, said after the upgrade. */
const breaches: Buffer[][] = [
  [clientFrame(JSON.stringify({ id: 1, connect: { token: forged } }))],
  [clientFrame('{"id":1,"connect":{}}')],
  [connectFrame, clientFrame('{')],
  [connectFrame, clientFrame('['.repeat(60_000))],
  [connectFrame, clientFrame('{}', { opcode: opcodes.binary })],
  [connectFrame, clientFrame('', { claimedBytes: 2n ** 40n })],
  [connectFrame, fragments('x'.repeat(70_000), [30_000, 60_000])],
  [Buffer.alloc(100, 0xff)],
]

async function leavesInAFrame(): Promise<void> {
  const half = clientFrame('{"id":3,"publish":{"channel":"room","data":1}}').subarray(0, 20)
  const subscribe = clientFrame('{"id":2,"subscribe":{"channel":"room"}}')
  const socket = await open(upgradeRequest, connectFrame, subscribe, half)
  let seen = ''
  socket.on('data', (data) => (seen += data.toString('latin1')))
  await until('it is subscribed', () => seen.includes('{"id":2,') || socket.closed)
  socket.resetAndDestroy()
}

async function asksAndDoesNotRead(): Promise<void> {
  const socket = await open(upgradeRequest, connectFrame)
  socket.pause()
  // Until what the kernel takes for it, and what the proxy keeps for it, is full.
  await until('it is closed as slow', () => {
    if (socket.writableLength < 100_000) socket.write(rpcs)
    return socket.destroyed
  })
}

/** Ways to be a bad client, and how many of them in a round; each ends by itself or by the proxy. */
const ways: [count: number, be: () => Promise<void>][] = [
  [roundSize, async () => void (await open()).destroy()],
  [roundSize, async () => void (await open(upgradeRequest.slice(0, 40))).resetAndDestroy()],
  [roundSize, async () => void (await open(upgradeRequest)).resetAndDestroy()],
  [roundSize, async () => void (await closedWith(await open('\0\0\r\n\r\n')))],
  ...breaches.map((said): [number, () => Promise<void>] => [
    roundSize,
    async () => void (await closedWith(await open(upgradeRequest, ...said))),
  ]),
  [roundSize, leavesInAFrame],
]

void t.test('round upon round of bad clients', async (t) => {
  const round = async (): Promise<void> => {
    const slow = asksAndDoesNotRead()
    for (const [count, be] of ways) await Promise.all(Array.from({ length: count }, be))
    await slow
  }
  await round()
  const before = await settled()
  for (let i = 0; i < rounds; i++) await round()
  const clients = rounds * ways.reduce((sum, [count]) => sum + count, 0)
  const after = await settled(before + clients * bytesPerClientMax)
  t.pass(`${before} bytes before ${clients} clients, ${after} after them`)
  t.equal(writer.closed ?? reader.closed, null, 'nobody else was closed')
  await writer.command({ publish: { channel: 'room', data: 'still here' } })
  for (const wire of [writer, reader]) wire.terminate()
})
