import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

/**
 * What becomes of a request: its connection is cut before it reaches the server, in the middle of it, when it is there,
 * or when the answer has come.
 */
export type Cut = 'before' | 'half' | 'after' | 'answer'

export const asItIs = (chunk: Buffer): Buffer => chunk

/** What a server says, as one that is no MariaDB: then a commit is no block, but statements in a row. */
export const unnamed = (chunk: Buffer): Buffer =>
  Buffer.from(chunk.toString('latin1').replaceAll('MariaDB', 'Unnamed'), 'latin1')

/** A way to the database that a test can cut and stop. */
export class MysqlProxy {
  readonly url: string
  #cut: { mark: string; where: Cut; done: () => void } | null = null
  /** Whose next answer is lost. */
  readonly #answers = new Set<Socket>()
  #stopped = false

  private constructor(url: string) {
    this.url = url
  }

  /** A proxy before the server that a URL names; ends with the test. `said` makes what the client hears of what the server says. */
  static async start(t: Test, url: string, said = asItIs): Promise<MysqlProxy> {
    const { hostname, port } = new URL(url)
    const sockets = new Set<Socket>()
    const server = createServer((client) => {
      const upstream = connect({ host: hostname, port: Number(port) })
      for (const socket of [client, upstream]) {
        sockets.add(socket)
        socket.on('close', () => sockets.delete(socket))
        socket.on('error', () => {})
      }
      client.on('data', (chunk: Buffer) => proxy.#forward(chunk, client, upstream))
      client.on('end', () => upstream.end())
      // A connection whose client was cut off ends when the server has answered, and not before.
      upstream.on('data', (chunk: Buffer) => {
        if (proxy.#answers.delete(client)) client.destroy()
        if (client.destroyed) upstream.destroy()
        else if (!proxy.#stopped) client.write(said(chunk))
      })
      upstream.on('close', () => client.destroy())
    })
    server.listen({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    t.teardown(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    const own = new URL(url)
    own.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const proxy = new MysqlProxy(own.href)
    return proxy
  }

  /** Cuts the connection of the next request whose text has `mark` in it; resolves when that is done. */
  cutNext(mark: string, where: Cut): Promise<void> {
    return new Promise((done) => {
      this.#cut = { mark, where, done }
    })
  }

  /** From now on no answer comes through. */
  stop(): void {
    this.#stopped = true
  }

  resume(): void {
    this.#stopped = false
  }

  #forward(chunk: Buffer, client: Socket, upstream: Socket): void {
    const cut = this.#cut
    if (cut === null || !chunk.includes(cut.mark)) return void upstream.write(chunk)
    this.#cut = null
    if (cut.where === 'half') upstream.write(chunk.subarray(0, chunk.length / 2))
    if (cut.where === 'before' || cut.where === 'half') upstream.end()
    else upstream.write(chunk)
    if (cut.where === 'answer') this.#answers.add(client)
    else client.destroy()
    cut.done()
  }
}
