/**
 * Proves that the stream of events tells what happens as it happens, goes on where its reader was, says so when it
 * cannot, shows that it is alive, and bounds how many listen and what waits for one who does not read.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Socket } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { buildApi } from '../../../controller/api/api.ts'
import { eventStreamLimits } from '../../../controller/api/events.ts'
import { InProcessCluster } from '../../harness/in-process-cluster.ts'
import { until } from '../../support/until.ts'

const cluster = new InProcessCluster()
t.teardown(() => cluster[Symbol.asyncDispose]())
const handles = cluster.handles()
const controller = await cluster.controller(handles)
const options = { tokens: { write: 'a token', read: 'a read token' }, hosts: [], workersWanted: 1 }
const api = buildApi(controller, handles.env, options)
await api.listen({ host: '127.0.0.1', port: 0 })
t.teardown(() => api.close())
const { port } = api.server.address() as AddressInfo

/** A reader, and what it has read. */
async function reader(t: Test, lastId?: string): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const resume = lastId === undefined ? '' : `last-event-id: ${lastId}\r\n`
  socket.write(`GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer a read token\r\n${resume}\r\n`)
  await until('the stream begins', () => text.includes('\n\n'))
  return { socket, text: () => text }
}

const idsIn = (text: string): string[] => [...text.matchAll(/^id: (\S+)$/gm)].map(([, id]) => id!)

void t.test('tells what happens, as it happens', async (t) => {
  const { text } = await reader(t)
  t.match(text(), /^HTTP\/1\.1 200 .*content-type: text\/event-stream/s)
  const worker = await cluster.worker()
  await until('its slots are told of', () => text().match(/event: acquired/g)?.length === 4)
  t.match(text(), new RegExp(`event: joined\ndata: \\{"time":"[^"]+Z","role":"worker","id":"${worker.id}"`))
  t.match(text(), new RegExp(`event: acquired\ndata: .*"worker":"${worker.id}"`))
  worker.kill()
  await until('its death is told of', () => text().includes('event: died'))
  t.match(text(), new RegExp(`event: died\ndata: .*"id":"${worker.id}"`))
})

void t.test('goes on where its reader was', async (t) => {
  const first = await reader(t)
  for (const n of [1, 2, 3]) controller.events.publish('rollout', { n })
  await until('all three are there', () => idsIn(first.text()).length === 3)
  const [one, two, three] = idsIn(first.text())
  const second = await reader(t, one)
  await until('the other two come', () => idsIn(second.text()).length === 2)
  t.same(idsIn(second.text()), [two, three])
  t.notMatch(second.text(), 'event: gap')
  const third = await reader(t, 'c-other-7')
  await until('all comes that is known', () => idsIn(third.text()).includes(three!))
  t.match(third.text(), /event: gap\ndata: \{\}/)
})

void t.test('needs a token', async (t) => {
  t.equal((await api.inject('/api/v1/events')).statusCode, 401)
})

void t.test('a reader that does not read is closed, and others are not', async (t) => {
  const [slow, good] = [await reader(t), await reader(t)]
  slow.socket.pause()
  const closed = once(slow.socket, 'close')
  let sent = 0
  const text = 'x'.repeat(100_000)
  await until('it is closed', async () => {
    controller.events.publish('config', { n: ++sent, text })
    const metric = await handles.env.metrics.registry.getSingleMetricAsString('holdfast_event_streams_closed_total')
    return metric.endsWith(' 1')
  })
  slow.socket.resume().on('error', () => {})
  await closed
  t.ok(sent * text.length > eventStreamLimits.waitingBytes)
  await until('the other one has all', () => good.text().includes(`"n":${sent},`))
})

void t.test('no more than so many listen', async (t) => {
  const readers: Socket[] = []
  t.teardown(() => readers.forEach((socket) => socket.destroy()))
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    readers.push(socket)
    socket.write('GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer a token\r\n\r\n')
    const [chunk] = (await once(socket.setEncoding('utf8'), 'data')) as [string]
    if (chunk.startsWith('HTTP/1.1 429')) break
    t.ok(readers.length <= eventStreamLimits.listeners)
  }
})
