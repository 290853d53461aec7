import { once } from 'node:events'
/**
 * A client's connection: it comes back by itself, waits for a bounded time, never lets a request of an older
 * connection take effect late, and a client that reads nothing keeps nobody waiting.
 */
import { createConnection, type Socket } from 'node:net'
import { resolve } from 'node:path'
import t, { type Test } from 'tap'
import { openLog } from '../../cluster/open-log.ts'
import { openStore } from '../../cluster/open-store.ts'
import { connectWaitMs, EngineConnection } from '../../engine/connection.ts'
import { encodeFrame, FrameDecoder } from '../../engine/frames.ts'
import type { ClientMessage, ServerMessage } from '../../engine/messages.ts'
import { readPlace } from '../../engine/place.ts'
import { runEngine } from '../../engine/server/engine.ts'
import { commitOf, own } from '../store/contract/contract.ts'
import { quietLogger } from '../support/loggers.ts'
import { EngineChild, openEmbeddedLog, openEmbeddedStore, temporaryDirectory } from './start-engine.ts'

const topic = { name: 't', partitions: 2, compacted: false }
const entry = (text: string): { key: null; value: Buffer } => ({ key: null, value: Buffer.from(text) })

async function engineHere(t: Test): Promise<string> {
  const dataDir = await temporaryDirectory(t)
  const onFatal = (error: Error): never => {
    throw error
  }
  const engine = await runEngine({ dataDir, sync: 'full', logger: quietLogger, onFatal })
  t.teardown(() => engine.stop())
  return dataDir
}

/** A client that speaks frames itself. */
async function rawClient(
  t: Test,
  dataDir: string,
): Promise<{ socket: Socket; send(...messages: ClientMessage[]): void; received: ServerMessage[] }> {
  const socket = createConnection((await readPlace(dataDir))?.socket ?? '')
  t.teardown(() => socket.destroy())
  const received: ServerMessage[] = []
  const decoder = new FrameDecoder<ServerMessage>()
  socket.on('data', (chunk) => received.push(...decoder.push(chunk as Buffer).flat()))
  socket.on('error', () => {})
  await once(socket, 'connect')
  return { socket, received, send: (...messages) => void socket.write(encodeFrame(messages)) }
}

void t.test('requests wait for an engine that starts late, but not for ever', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const log = openEmbeddedLog(t, dataDir)
  const store = openEmbeddedStore(t, dataDir)
  const since = performance.now()
  await Promise.all([
    t.rejects(log.range('t', 0), { name: 'LogError', code: 'unavailable' }),
    t.rejects(store.leases(), { name: 'StoreError', code: 'unavailable' }),
  ])
  t.ok(performance.now() - since >= connectWaitMs - 50)
  const reader = log.read('t', 0, 0)
  const early = log.createTopics([topic])
  await EngineChild.start(t, dataDir)
  await early
  await t.rejects(reader.next(), { code: 'unknown_topic' }, 'it was asked for before there was such a topic')
})

void t.test(
  'what is under way when the engine dies ends unknown, and everything works with the next one',
  async (t) => {
    const dataDir = await temporaryDirectory(t)
    const first = await EngineChild.start(t, dataDir)
    const log = openEmbeddedLog(t, dataDir)
    const store = openEmbeddedStore(t, dataDir)
    await log.createTopics([topic])
    await log.append('t', 0, [entry('a')])
    await store.leases()
    const reader = log.read('t', 0, 0)
    t.equal((await reader.next()).length, 1)
    first.signal('SIGSTOP')
    const lost = [
      t.rejects(log.append('t', 0, [entry('maybe')]), { name: 'LogError', code: 'unavailable' }),
      t.rejects(store.leases(), { name: 'StoreError', code: 'unavailable' }),
    ]
    // A turn of the loop later the requests are on their way.
    await new Promise((resolve) => setImmediate(resolve))
    await first.end('SIGKILL')
    await Promise.all(lost)
    await EngineChild.start(t, dataDir)
    t.equal(await log.append('t', 0, [entry('b')]), 1)
    const [record] = await reader.next()
    t.match(record, { offset: 1 })
    t.equal(record?.value.toString(), 'b')
  },
)

void t.test('a new connection of a client voids what an older one still holds', async (t) => {
  const dataDir = await engineHere(t)
  const log = openEmbeddedLog(t, dataDir)
  await log.createTopics([topic])
  const older = await rawClient(t, dataDir)
  older.send(['hello', 'client'], ['request', 1, 'log', 'append', ['t', 0, [entry('a')]]])
  const newer = await rawClient(t, dataDir)
  const closed = once(older.socket, 'close')
  newer.send(['hello', 'client'])
  await closed
  older.send(['request', 2, 'log', 'append', ['t', 0, [entry('late')]]])
  t.same(await log.range('t', 0), { oldest: 0, next: 1 })
})

void t.test('one request that fails in a turn fails alone', async (t) => {
  const dataDir = await engineHere(t)
  const connection = new EngineConnection(dataDir)
  t.teardown(() => connection.close())
  const request = connection.request.bind(connection)
  await Promise.all([
    request('log', 'createTopics', [[topic]]),
    request('store', 'createGroup', ['default', 1, 'origin']),
  ])
  await own(openEmbeddedStore(t, dataDir))
  const channels = [{ name: 'room', epoch: 'e', top: 1, lastTime: 1 }]
  const interestAdded: [string, string][] = [['nowhere', 'p']]
  // All of this arrives as one frame, and so runs in one transaction.
  const results = await Promise.allSettled([
    request('log', 'append', ['t', 0, [entry('a')]]),
    request('store', 'commit', [commitOf({ channels, interestAdded })]),
    request('log', 'append', ['nowhere', 0, [entry('a')]]),
    request('store', 'lease', ['default/0']),
    request('log', 'append', ['t', 0, [entry('b')]]),
    request('store', 'nonsense', []),
  ])
  t.match(results, [
    { value: 0 },
    { reason: { code: 'damaged' } },
    { reason: { code: 'unknown_topic' } },
    { value: { nextOffset: 0 } },
    { value: 1 },
    { reason: { code: 'damaged' } },
  ])
  t.same(await request('store', 'channels', ['default/0', ['room']]), [])
})

void t.test('a client that reads nothing keeps nobody waiting and gets no more than its credit', async (t) => {
  const dataDir = await engineHere(t)
  const log = openEmbeddedLog(t, dataDir)
  await log.createTopics([topic])
  const deaf = await rawClient(t, dataDir)
  const credited = await rawClient(t, dataDir)
  const credit = 200_000
  deaf.send(['hello', 'deaf'], ['follow', 1, 't', 0, 0, 1e9])
  deaf.socket.pause()
  credited.send(['hello', 'credited'], ['follow', 1, 't', 0, 0, credit])
  const reader = openEmbeddedLog(t, dataDir).read('t', 0, 0)
  const count = 60
  const size = 100_000
  let seen = 0
  for (let n = 0; n < count; n += 1) {
    await log.append('t', 0, [{ key: null, value: Buffer.alloc(size, n) }])
    seen += (await reader.next()).length
  }
  t.equal(seen, count)
  const sent = (): number[] =>
    credited.received.flatMap((message) => (message[0] === 'records' ? message[2].map(({ offset }) => offset) : []))
  t.same(sent(), [0, 1].slice(0, sent().length), 'within its credit')
  credited.send(['credit', 1, 1e9])
  while (sent().length < count) await once(credited.socket, 'data')
  t.same(
    sent(),
    Array.from({ length: count }, (_, offset) => offset),
  )
  deaf.socket.resume()
  const heard = (): number =>
    deaf.received.reduce((sum, message) => sum + (message[0] === 'records' ? message[2].length : 0), 0)
  while (heard() < count) await once(deaf.socket, 'data')
})

void t.test('nonsense on the socket ends that connection only', async (t) => {
  const dataDir = await engineHere(t)
  const log = openEmbeddedLog(t, dataDir)
  await log.createTopics([topic])
  const client = await rawClient(t, dataDir)
  const closed = once(client.socket, 'close')
  client.socket.write(Buffer.alloc(64, 255))
  await closed
  t.equal(await log.append('t', 0, [entry('a')]), 0)
})

void t.test('a process has one connection to an engine, closed with its last user', async (t) => {
  const dataDir = await engineHere(t)
  const url = `embedded:${dataDir}`
  const log = await openLog(url)
  const store = await openStore(url)
  await log.createTopics([topic])
  await log.close()
  t.same(await store.leases(), [], 'the other user still has it')
  await store.close()
  await store.close()
  await t.rejects(store.leases(), { code: 'unavailable' })
  const again = await openLog(`embedded:${resolve(dataDir, '.')}`)
  t.equal(await again.append('t', 0, [entry('a')]), 0)
  await again.close()
})

void t.test('a URL that cannot be opened is named without what is secret in it', async (t) => {
  await t.rejects(openLog('redis://user:secret@host'), { message: /^log: .*"redis:".*kafka: and embedded:$/ })
  await t.rejects(openStore('redis://user:secret@host'), { message: /^store: .*"redis:".*mysql: and embedded:$/ })
  await t.rejects(openLog('embedded:'), { message: /supported are/ })
  await t.rejects(openLog('nothing'), { message: /supported are/ })
})
