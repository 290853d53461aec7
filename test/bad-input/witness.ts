/** Clients that notice when an attack on others disturbs them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Wire } from '../harness/clients/wire.ts'
import { until } from '../support/until.ts'

/** Time between two messages. */
const chatIntervalMs = 15

export interface Testimony {
  sent: number
  /** What came, in the order in which it came. */
  received: unknown[]
  /** The longest time between a message and its arrival. */
  worstMs: number
  /** Both still had their connection. */
  stayed: boolean
}

/** Two clients that chat all the time, to tell whether anybody else's doings disturb them. */
export class Witness {
  readonly #writer: Wire
  readonly #reader: Wire
  readonly #channel = 'witness'
  readonly #chatting: Promise<void>
  readonly #sentAt: number[] = []
  #worstMs = 0
  #isDone = false

  private constructor(writer: Wire, reader: Wire) {
    this.#writer = writer
    this.#reader = reader
    this.#chatting = this.#chat()
  }

  /** Both must be connected. */
  static async start(writer: Wire, reader: Wire): Promise<Witness> {
    for (const wire of [writer, reader]) await wire.command({ subscribe: { channel: 'witness' } })
    return new Witness(writer, reader)
  }

  async #chat(): Promise<void> {
    while (!this.#isDone && this.#writer.closed === null) {
      const n = this.#sentAt.push(performance.now())
      this.#writer.send({ publish: { channel: this.#channel, data: n } })
      await until('the witness gets its message', () => this.#reader.publications(this.#channel).length >= n)
      this.#worstMs = Math.max(this.#worstMs, performance.now() - this.#sentAt[n - 1]!)
      this.#answerPings()
      await sleep(chatIntervalMs)
    }
  }

  #pings = 0

  #answerPings(): void {
    const count = ({ messages }: Wire): number => messages.filter((each) => Object.keys(each).length === 0).length
    for (; this.#pings < count(this.#writer); this.#pings++) this.#writer.raw('{}')
    for (; this.#readerPings < count(this.#reader); this.#readerPings++) this.#reader.raw('{}')
  }

  #readerPings = 0

  async stop(): Promise<Testimony> {
    this.#isDone = true
    await this.#chatting
    return {
      sent: this.#sentAt.length,
      received: this.#reader.publications(this.#channel).map(({ data }) => data),
      worstMs: this.#worstMs,
      stayed: this.#writer.closed === null && this.#reader.closed === null,
    }
  }
}
