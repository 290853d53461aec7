import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** A broadcast server of the plain `ws` package in a process of its own: the floor of fan-out and memory. */
export class BareServer implements AsyncDisposable {
  readonly url: string
  readonly pid: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.pid = child.pid!
    this.url = `ws://127.0.0.1:${port}`
  }

  static async start(): Promise<BareServer> {
    const child = fork(new URL('bare-process.ts', import.meta.url), { stdio: 'inherit' })
    const [port] = (await once(child, 'message')) as [number]
    return new BareServer(child, port)
  }

  /** Bytes. */
  async heapUsed(): Promise<number> {
    this.#child.send('heap')
    const [bytes] = (await once(this.#child, 'message')) as [number]
    return bytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
  }
}
