// Proves that the TCP proxy of the tests is transparent when nothing is asked of it, and does to connections exactly
// what each of its faults says: nothing is ever lost, doubled or reordered within a connection that lives on.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { TcpProxy } from './tcp-proxy.ts'
import { until } from './until.ts'

/** What a chunk of the tests needs at most where nothing slows it. */
const promptMs = 2_000

/** A server that answers every chunk with itself and keeps what it received, behind a proxy. */
async function echoBehind(t: Test): Promise<{ proxy: TcpProxy; received: () => string; served: () => number }> {
  let received = ''
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('data', (data) => {
      received += data.toString('latin1')
      socket.write(data)
    })
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await TcpProxy.listen({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  t.teardown(async () => {
    await proxy.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { proxy, received: () => received, served: () => sockets.size }
}

/** A client's connection with all that came back, and how it ended. */
async function dial(proxy: TcpProxy): Promise<{ socket: Socket; received: () => string; error: () => string | null }> {
  let received = ''
  let error: string | null = null
  const socket = connect({ host: '127.0.0.1', port: proxy.port, noDelay: true })
  socket.on('data', (data) => (received += data.toString('latin1')))
  socket.on('error', (cause: NodeJS.ErrnoException) => (error = cause.code ?? cause.message))
  await until('the connection to come about, or not', () => !socket.connecting, promptMs)
  return { socket, received: () => received, error: () => error }
}

void t.test('it is transparent', async (t) => {
  const { proxy, received } = await echoBehind(t)
  const client = await dial(proxy)
  const text = 'x0123456789'.repeat(300_000)
  client.socket.write(text)
  await until('everything to come back', () => client.received().length === text.length, promptMs)
  t.equal(client.received(), text)
  t.equal(received(), text)
  t.match(proxy.counts, { connections: 1, refused: 0, reset: 0, requestBytes: text.length, answerBytes: text.length })
  client.socket.end()
  await once(client.socket, 'close')
  t.equal(client.error(), null)
  await until('the connection to be forgotten', () => proxy.open === 0, promptMs)
})

void t.test('cut: connections are reset, new ones too, until it is restored', async (t) => {
  const { proxy, served } = await echoBehind(t)
  const before = await dial(proxy)
  before.socket.write('a')
  await until('an answer', () => before.received() === 'a', promptMs)
  proxy.cut()
  await until('the connection to end', () => before.socket.closed, promptMs)
  t.equal(before.error(), 'ECONNRESET')
  await until('the server to hear of it', () => served() === 0, promptMs)
  const during = await dial(proxy)
  await until('the new one to end', () => during.socket.closed, promptMs)
  t.match(proxy.counts, { connections: 1, refused: 1, reset: 1 })
  proxy.restore()
  const after = await dial(proxy)
  after.socket.write('b')
  await until('an answer', () => after.received() === 'b', promptMs)
  after.socket.destroy()
})

void t.test('a black hole holds back everything, ends included, and loses nothing', async (t) => {
  const { proxy, received, served } = await echoBehind(t)
  const [silent, leaving] = [await dial(proxy), await dial(proxy)]
  leaving.socket.write('l')
  await until('an answer', () => leaving.received() === 'l', promptMs)
  proxy.blackhole()
  silent.socket.write('one')
  leaving.socket.destroy()
  const fresh = await dial(proxy)
  fresh.socket.write('two')
  await until('the proxy to have it all', () => proxy.counts.requestBytes === 7, promptMs)
  t.equal(received(), 'l')
  t.equal(served(), 3)
  proxy.restore()
  await until('the answers', () => silent.received() === 'one' && fresh.received() === 'two', promptMs)
  await until('the end to pass', () => served() === 2, promptMs)
  silent.socket.destroy()
  fresh.socket.destroy()
})

void t.test('one way only: requests arrive, their answers do not', async (t) => {
  const { proxy, received } = await echoBehind(t)
  const client = await dial(proxy)
  proxy.blackhole('answers')
  client.socket.write('request')
  await until('the server to have answered', () => proxy.counts.answerBytes === 7, promptMs)
  t.equal(received(), 'request')
  t.equal(client.received(), '')
  proxy.restore()
  await until('the answer', () => client.received() === 'request', promptMs)
  client.socket.destroy()
})

void t.test('slow: each way takes its time, in order', async (t) => {
  const { proxy } = await echoBehind(t)
  const client = await dial(proxy)
  proxy.slow(100)
  const startedAt = performance.now()
  for (let index = 0; index < 5; index++) client.socket.write(String(index))
  await until('the answers', () => client.received() === '01234', promptMs)
  const tookMs = performance.now() - startedAt
  t.ok(tookMs >= 200, `a hundred each way, took ${tookMs}`)
  proxy.slow(0, 100_000)
  const narrowAt = performance.now()
  client.socket.write('x'.repeat(30_000))
  await until('the answers', () => client.received().length === 30_005, promptMs)
  t.ok(performance.now() - narrowAt >= 200, 'a narrow line holds up')
  proxy.restore()
  client.socket.destroy()
})

void t.test('a lost answer: the request took effect, the connection is reset, others go on', async (t) => {
  const { proxy, received } = await echoBehind(t)
  const client = await dial(proxy)
  client.socket.write('a')
  await until('an answer', () => client.received() === 'a', promptMs)
  proxy.loseNextAnswers()
  const other = await dial(proxy)
  other.socket.write('o')
  await until('an answer on a connection made later', () => other.received() === 'o', promptMs)
  t.notOk(client.socket.closed, 'nothing happens before there is an answer')
  client.socket.write('b')
  await until('the connection to be reset', () => client.socket.closed, promptMs)
  t.equal(client.received(), 'a')
  t.equal(client.error(), 'ECONNRESET')
  t.equal(received(), 'aob')
  t.equal(proxy.counts.reset, 1)
  other.socket.destroy()
})

void t.test('a target that is not there resets the client', async (t) => {
  const proxy = await TcpProxy.listen({ host: '127.0.0.1', port: 1 })
  t.teardown(() => proxy.close())
  const client = await dial(proxy)
  await until('the connection to end', () => client.socket.closed, promptMs)
  t.equal(client.error(), 'ECONNRESET')
})
