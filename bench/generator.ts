import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Target } from './subscriber.ts'
import type { Hits, Volley } from './volley.ts'

export type Order =
  | { kind: 'join'; target: Target; tokens: string[]; rooms: number }
  | { kind: 'fire'; volley: Volley }
  | { kind: 'drop' }
  | { kind: 'publish'; token: string; perRoom: number }
  | { kind: 'comeBack'; missed: number }
  | { kind: 'gone' }

/** A crowd of clients in a process of its own, so that the processor time of the bench itself is not in their way. */
export class Generator implements AsyncDisposable {
  readonly #child: ChildProcess = fork(new URL('generator-process.ts', import.meta.url), { stdio: 'inherit' })
  readonly #ended = once(this.#child, 'exit').then(() => [{ error: 'the generator ended' }])

  /** One client for each token, spread over the rooms; resolves when all have subscribed. */
  async join(target: Target, tokens: string[], rooms: number): Promise<void> {
    await this.#order({ kind: 'join', target, tokens, rooms })
  }

  /** Loads the one room of the crowd; throws when a delivery was lost or a connection closed. */
  async fire(volley: Volley): Promise<Hits> {
    const hits = (await this.#order({ kind: 'fire', volley })) as Hits
    const { lost, disconnected, why } = hits
    if (lost !== 0 || disconnected !== 0) {
      throw new Error(`${lost} deliveries lost, ${disconnected} clients disconnected ${why}`)
    }
    return hits
  }

  /** All connections end at once. */
  async drop(): Promise<void> {
    await this.#order({ kind: 'drop' })
  }

  /** So many publications in every room of the crowd. */
  async publish(token: string, perRoom: number): Promise<void> {
    await this.#order({ kind: 'publish', token, perRoom })
  }

  /** All come back at once and recover what they missed. Returns the time until the last had, in ms. */
  async comeBack(missed: number): Promise<number> {
    return (await this.#order({ kind: 'comeBack', missed })) as number
  }

  /** Throws when a connection ended on its own. */
  async expectAll(): Promise<void> {
    const { count, why } = (await this.#order({ kind: 'gone' })) as { count: number; why: string }
    if (count > 0) throw new Error(`${count} clients were disconnected: ${why}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#ended
  }

  async #order(order: Order): Promise<unknown> {
    this.#child.send(order)
    const [{ result, error }] = (await Promise.race([once(this.#child, 'message'), this.#ended])) as [
      { result?: unknown; error?: string },
    ]
    if (error !== undefined) throw new Error(error)
    return result
  }
}
