import { Wire, marker } from './wire.ts'

/** What the generator connects to. */
export interface Target {
  kind: 'holdfast' | 'bare'
  url: string
}

/** What a publication carries besides its length. */
export interface Content {
  /** Of the generator's clock, ms. */
  sentAt: number
  /** Which subscriber sent it. */
  by: number
}

export interface Position {
  epoch: string
  offset: number
}

export interface Publication {
  data: Content
  offset?: number
}

interface Message {
  id?: number
  error?: { code: number; message: string }
  subscribe?: { epoch: string; offset: number; recovered?: boolean; publications?: Publication[] }
  push?: { pub?: Publication }
}

const filler = 'x'.repeat(100)

/** A client of the generator with one room, at a cluster or at the bare server. An error reply ends the bench. */
export class Subscriber {
  readonly room: string
  readonly wire: Wire
  onPublication: (publication: Publication) => void = () => {}
  readonly #target: Target
  readonly #waiting = new Map<number, PromiseWithResolvers<Message>>()
  #id = 0

  constructor(target: Target, room: string) {
    this.#target = target
    this.room = room
    this.wire = new Wire(target.kind === 'bare' ? `${target.url}/${room}` : target.url)
  }

  /** Connects without a room, as one who only publishes. */
  async connect(token: string): Promise<void> {
    this.wire.onMessage = (text) => this.#message(text)
    await this.wire.opened
    if (this.#target.kind === 'holdfast') await this.#command({ connect: { token } })
  }

  /** Connects and subscribes. The result is null at the bare server, which knows no positions. */
  async join(token: string, from: Position | null): Promise<(Position & { recovered: boolean }) | null> {
    await this.connect(token)
    if (this.#target.kind === 'bare') return null
    const recover = from && { recover: true, ...from }
    const { subscribe } = await this.#command({ subscribe: { channel: this.room, ...recover } })
    const { epoch, offset, recovered = false, publications = [] } = subscribe!
    for (const publication of publications) this.onPublication(publication)
    return { epoch, offset, recovered }
  }

  /** From now on publications are counted and not looked at, when `read` of the wire is called. */
  ignore(): void {
    this.wire.onMessage = null
    this.wire.isGulping = true
  }

  publish(content: Content, room = this.room): Promise<unknown> {
    const data = { ...content, text: filler }
    if (this.#target.kind === 'holdfast') return this.#command({ publish: { channel: room, data } })
    this.wire.send(JSON.stringify({ push: { channel: room, pub: { data } } }))
    return Promise.resolve()
  }

  #command(command: object): Promise<Message> {
    const id = ++this.#id
    const reply = Promise.withResolvers<Message>()
    this.#waiting.set(id, reply)
    this.wire.send(JSON.stringify({ id, ...command }))
    return reply.promise
  }

  #message(text: string): void {
    const message = JSON.parse(text) as Message
    if (message.id !== undefined) {
      const reply = this.#waiting.get(message.id)
      this.#waiting.delete(message.id)
      if (message.error) reply?.reject(new Error(`a client got error ${message.error.code}: ${message.error.message}`))
      else reply?.resolve(message)
    } else if (text.includes(marker)) this.onPublication(message.push!.pub!)
  }
}
