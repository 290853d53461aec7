import type { Proxy } from '../../proxy/proxy.ts'
/** A client of a proxy alone, which judges all that it gets. */
import { socketBytesMax } from '../../proxy/sessions/backlog.ts'
import type { Session } from '../../proxy/sessions/session.ts'
import { FrameReader } from '../harness/clients/frame-reader.ts'
import { connectionOf } from '../support/connection.ts'
import { epochOf } from './model-slot.ts'

/** A session that checks what it gets as it comes, and notes in `failures` what is wrong. */
export class Subscriber {
  /** Channel → top it has; absent when not subscribed. */
  readonly has = new Map<string, number>()
  /** Where it was in a channel when it lost or left it. */
  readonly last = new Map<string, number>()
  readonly #asked = new Map<number, { channel: string; after: number | null; lost: boolean }>()
  readonly #unanswered = new Set<number>()
  readonly #proxy: Proxy
  readonly #session: Session
  readonly #failures: string[]
  readonly #reader = new FrameReader()
  #id = 0
  isGone = false
  /** Its connection takes nothing: all that it is given waits. */
  isStalled = false

  constructor(proxy: Proxy, failures: string[]) {
    this.#proxy = proxy
    this.#failures = failures
    const buffered = () => (this.isStalled ? socketBytesMax : 0)
    const connection = connectionOf({
      get bufferedBytes() {
        return buffered()
      },
      write: (frame) => this.#frame(frame),
      close: (code) => this.#check(false, `closed with ${code}`),
    })
    this.#session = proxy.open(connection, '127.0.0.1')
    this.#send({ connect: {} })
  }

  get unanswered(): number {
    return this.isGone ? 0 : this.#unanswered.size
  }

  join(channel: string, recover: 'fresh' | 'last' | 'lost'): void {
    if (this.isGone || this.#session.channels.has(channel)) return
    const from = this.last.get(channel)
    const after = recover === 'last' && from !== undefined ? from : null
    const at = after === null ? {} : { recover: true, epoch: epochOf(channel), offset: after }
    const lost = { recover: true, epoch: 'another', offset: 1, flag: 2 }
    const id = this.#send({ subscribe: { channel, ...(recover === 'lost' ? lost : at) } })
    this.#asked.set(id, { channel, after, lost: recover === 'lost' })
  }

  leave(channel: string): void {
    if (this.isGone || !this.#session.channels.has(channel)) return
    this.#asked.set(this.#send({ unsubscribe: { channel } }), { channel, after: null, lost: false })
  }

  drop(): void {
    this.isGone = true
    this.has.clear()
    this.#proxy.gone(this.#session)
  }

  /** Channels it has or waits for, as the proxy sees it. */
  get channels(): ReadonlySet<string> {
    return this.#session.channels
  }

  #send(command: object): number {
    const id = ++this.#id
    this.#unanswered.add(id)
    this.#proxy.received(this.#session, JSON.stringify({ id, ...command }))
    return id
  }

  #frame(frame: Buffer): void {
    this.#check(!this.isGone, 'a frame for a session that is gone')
    for (const message of this.#reader.take(frame)) {
      const { id, push } = message
      if (id) {
        this.#check(this.#unanswered.delete(id), `command ${id} was answered twice`)
        if (message.subscribe) this.#joined(id, message.subscribe as never)
        else if (message.unsubscribe) this.#left(this.#asked.get(id)!.channel)
      } else if (push?.pub) this.#publication(push.channel!, push.pub.offset)
      else if (push) this.#check(false, `unasked push ${JSON.stringify(push)}`)
    }
  }

  #joined(
    id: number,
    result: { epoch: string; offset: number; recovered?: true; publications?: { offset: number }[] },
  ): void {
    const { channel, after, lost } = this.#asked.get(id)!
    this.#check(!lost, 'a position of another epoch was accepted')
    this.#check(result.epoch === epochOf(channel), 'wrong epoch')
    if (after !== null) this.#check(result.recovered === true && result.offset === after, 'not recovered')
    this.has.set(channel, result.offset)
    for (const { offset } of result.publications ?? []) this.#publication(channel, offset)
  }

  #left(channel: string): void {
    const top = this.has.get(channel)
    if (top !== undefined) this.last.set(channel, top)
    this.has.delete(channel)
  }

  #publication(channel: string, offset: number): void {
    const top = this.has.get(channel)
    this.#check(top !== undefined, `publication ${offset} of ${channel} for a session that has left it`)
    this.#check(offset === top! + 1, `publication ${offset} of ${channel} after ${top}`)
    this.has.set(channel, offset)
  }

  #check(isRight: boolean, problem: string): void {
    if (!isRight) this.#failures.push(problem)
  }
}
