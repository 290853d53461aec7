import { once } from 'node:events'
import { WebSocket } from 'ws'

/** A connection of the generator: one room, of which it is the subscriber and a publisher. */
export class BenchClient {
  readonly room: string
  readonly #ws: WebSocket
  #id = 0
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  /** Called with the `data` of each publication in the room. */
  onPublication: (data: { at?: number }) => void = () => {}
  /** Called when the connection has ended, whoever wanted it. What waits for an answer gets an error. */
  onClose: () => void = () => {}

  private constructor(ws: WebSocket, room: string) {
    this.#ws = ws
    this.room = room
    ws.on('message', (data: Buffer) => this.#frame(data.toString()))
    ws.on('close', () => {
      for (const answer of this.#waiting.values()) answer(closed)
      this.#waiting.clear()
      this.onClose()
    })
  }

  static async connect(url: string, token: string, room: string): Promise<BenchClient> {
    const ws = new WebSocket(url, { perMessageDeflate: false })
    await once(ws, 'open')
    const client = new BenchClient(ws, room)
    await client.command({ connect: { token } })
    await client.command({ subscribe: { channel: room } })
    return client
  }

  command(command: object): Promise<Reply> {
    if (this.#ws.readyState !== WebSocket.OPEN) return Promise.resolve(closed)
    const id = ++this.#id
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#ws.send(JSON.stringify({ id, ...command }))
    })
  }

  /** Resolves with the time until the ack in ms, or null when it was an error. */
  async publish(data: object): Promise<number | null> {
    const start = performance.now()
    const reply = await this.command({ publish: { channel: this.room, data } })
    return reply.error ? null : performance.now() - start
  }

  close(): void {
    this.#ws.close()
  }

  #frame(text: string): void {
    for (const line of text.split('\n')) {
      const message = JSON.parse(line) as Reply & { push?: { pub?: { data: { at?: number } } } }
      if (message.id) {
        this.#waiting.get(message.id)?.(message)
        this.#waiting.delete(message.id)
      } else if (message.push?.pub) this.onPublication(message.push.pub.data)
      else if (line === '{}') this.#ws.send('{}')
    }
  }
}

interface Reply {
  id?: number
  error?: { code: number; message: string }
}

const closed: Reply = { error: { code: 0, message: 'the connection has ended' } }
