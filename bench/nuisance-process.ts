import { randomBytes } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { NuisanceKind, NuisanceOrder, NuisanceReport } from './nuisance.ts'

/** What one client is allowed: `client.command_rate`. */
const commandsPerSecond = 100
const historyMessages = 16
const historyMessageBytes = 50_000
/** Commands of one client far over its rate, in frames of so many. */
const flood = { perSecond: 2_000, perFrame: 20 }
const lineFeeds = '\n'.repeat(60_000)
const fragments = { connections: 100, bytes: 112_000 }
const busyPerSecond = 2_000
/** A client that was sent away comes back after this time; one with fragments has done its harm once. */
const comeBackMs = { usual: 200, fragments: 5_000 }

type Send = (command: object) => void
type Act = (send: Send, index: number, ws: WebSocket) => void

const report: NuisanceReport = { answered: 0, refused: {}, closed: 0 }
let isOver = false

function first(emitter: EventEmitter, ...events: string[]): Promise<unknown> {
  return Promise.race(events.map((event) => new Promise((resolve) => emitter.once(event, resolve))))
}

/** A connection that counts what it is answered. */
async function open(url: string, token: string | null): Promise<{ ws: WebSocket; send: Send }> {
  const ws = new WebSocket(url, { perMessageDeflate: false })
  let id = 0
  ws.on('message', (data: Buffer) => {
    const text = data.toString()
    if (text === '{}') return ws.send('{}')
    for (const [, code] of text.matchAll(/^\{"id":\d+(?:,"error":\{"code":(\d+))?/gm)) {
      report.answered++
      if (code !== undefined) report.refused[code] = (report.refused[code] ?? 0) + 1
    }
  })
  ws.on('close', () => {
    if (!isOver) report.closed++
  })
  ws.on('error', () => ws.terminate())
  await first(ws, 'open', 'close')
  const send = (command: object) => ws.send(JSON.stringify({ id: ++id, ...command }))
  if (token !== null && ws.readyState === ws.OPEN) {
    send({ connect: { token } })
    await first(ws, 'message', 'close')
  }
  return { ws, send }
}

/** Does `act` so many times a second as long as the connection lives, and connects again when it does not. */
async function keep(
  url: string,
  token: string | null,
  perSecond: number,
  act: Act,
  begin: (send: Send) => void = () => {},
): Promise<never> {
  while (true) {
    const { ws, send } = await open(url, token)
    begin(send)
    const start = performance.now()
    let done = 0
    while (ws.readyState === ws.OPEN) {
      const due = Math.floor(((performance.now() - start) / 1000) * perSecond)
      // What a server does not read waits here, once.
      for (; done < due; done++) if (ws.bufferedAmount < 1_000_000) act(send, done, ws)
      await pause(1000 / Math.min(perSecond, 500))
    }
    await pause(comeBackMs.usual)
  }
}

const kinds: Record<NuisanceKind, (order: NuisanceOrder) => Promise<void> | void> = {
  /** One client reads history at its rate, as large as an answer may be. */
  async history({ url, tokens }) {
    const [token] = tokens as [string]
    const { ws, send } = await open(url, token)
    const data = 'x'.repeat(historyMessageBytes)
    for (let count = 0; count < historyMessages; count++) send({ publish: { channel: 'pages', data } })
    while (report.answered < historyMessages + 1) await pause(10)
    ws.close()
    const read = (send: Send) => send({ history: { channel: 'pages', limit: historyMessages } })
    void keep(url, token, commandsPerSecond, read, (send) => send({ subscribe: { channel: 'pages' } }))
  },

  /** Clients send many times what they may; some, without a token, nothing but line feeds. */
  flood({ url, tokens }) {
    const act: Act = (_, index, ws) => {
      const first = 1_000_000 + index * flood.perFrame
      const line = (_: unknown, n: number) => JSON.stringify({ id: first + n, history: { channel: 'flood', limit: 0 } })
      ws.send(Array.from({ length: flood.perFrame }, line).join('\n'))
    }
    const begin = (send: Send) => send({ subscribe: { channel: 'flood' } })
    for (const token of tokens) void keep(url, token, flood.perSecond / flood.perFrame, act, begin)
    for (let count = 0; count < 5; count++) void keep(url, null, 20, (_, __, ws) => ws.send(lineFeeds))
  },

  /** Messages in fragments of one byte, before connect. */
  fragments({ url }) {
    for (let count = 0; count < fragments.connections; count++) void sendFragments(new URL(url))
  },

  /** Subscribes to names that nobody had before. */
  names({ url, tokens }) {
    for (const [client, token] of tokens.entries()) {
      void keep(url, token, commandsPerSecond * 0.4, (send, index) => {
        const name = (n: number) => `new-${process.pid}-${client}-${n}`
        send({ subscribe: { channel: name(index) } })
        if (index >= 50) send({ unsubscribe: { channel: name(index - 50) } })
      })
    }
  },

  /** Many publish in one room, each within its rate. */
  busy({ url, tokens }) {
    for (const [client, token] of tokens.entries()) {
      const begin = (send: Send) => {
        if (client === 0) send({ subscribe: { channel: 'busy' } })
      }
      const data = 'x'.repeat(100)
      const act = (send: Send) => send({ publish: { channel: 'busy', data } })
      void keep(url, token, busyPerSecond / tokens.length, act, begin)
    }
  },
}

async function sendFragments({ hostname, port, pathname, host }: URL): Promise<never> {
  // One byte each, masked with zeros: the first is a text, the others go on; none is the last.
  const frames = Buffer.alloc(fragments.bytes * 7)
  for (let n = 0; n < fragments.bytes; n++) frames.set([n === 0 ? 1 : 0, 0x81, 0, 0, 0, 0, 0x78], n * 7)
  while (true) {
    const socket = connect({ host: hostname, port: Number(port) })
    socket.on('error', () => socket.destroy())
    const key = randomBytes(16).toString('base64')
    socket.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    )
    socket.once('data', () => socket.write(frames))
    await first(socket, 'close')
    if (!isOver) report.closed++
    await pause(comeBackMs.fragments)
  }
}

process.on('message', (order: NuisanceOrder | 'stop') => {
  if (order === 'stop') {
    isOver = true
    process.send!(report)
  } else void Promise.resolve(kinds[order.kind](order)).then(() => process.send!('begun'))
})
process.on('disconnect', () => process.exit())
