/** A client as applications use it: the real SDK, with all that it does and sees on record. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Centrifuge, State, SubscriptionState, type PublicationContext, type Subscription } from 'centrifuge'
import { WebSocket } from 'ws'
import { errors } from '../../../protocol/client/codes.ts'
import type { Operation } from '../../checker/history.ts'

/** A message with a key is sent at most this often. */
export const attemptsMax = 10

/** A command's answer is waited for this long (the SDK's own default). */
export const answerDeadlineMs = 5_000

/** Between two attempts to send a message. */
export const retryPauseMs = 200

/** What goes over the wire. */
export interface Payload {
  message: string
  body: string
}

export interface MemberOptions {
  name: string
  /** Where proxies are: a member starts with one of them and goes on to the next with each connection it makes. */
  urls: string[]
  /** The one to start with. */
  first: number
  token: string
  /** Gets everything that the member does and sees, in order. */
  record: (operation: Operation) => void
}

interface StoredPage {
  messages: { offset: number; data: Payload }[]
  epoch: string
  top: number
}

interface Room {
  subscription: Subscription
  epoch: string
  /** What it saw last. */
  offset: number
}

/** One real client (the `centrifuge` SDK over a real socket) with what it does and sees on record. */
export class Member {
  readonly name: string
  readonly rooms = new Map<string, Room>()
  readonly #centrifuge: Centrifuge
  readonly #record: (operation: Operation) => void

  constructor({ name, urls, first, token, record }: MemberOptions) {
    this.name = name
    this.#record = record
    this.#centrifuge = new Centrifuge(urls[0] ?? '', {
      websocket: rotating(urls, first),
      token,
      timeout: answerDeadlineMs,
      minReconnectDelay: 50,
      maxReconnectDelay: 1_000,
    })
    this.#centrifuge.on('connected', () => record({ kind: 'opened', at: performance.now(), client: name }))
    this.#centrifuge.on('connecting', ({ code, reason }) => {
      // Code 0: connect() was called.
      if (code !== 0) record({ kind: 'closed', at: performance.now(), client: name, code, reason })
    })
    this.#centrifuge.on('disconnected', ({ code, reason }) =>
      record({ kind: 'closed', at: performance.now(), client: name, code, reason }),
    )
    // Failed attempts to reconnect: what they lead to is recorded.
    this.#centrifuge.on('error', () => undefined)
    this.#centrifuge.connect()
  }

  /** Connected, and not waiting to get into a room (it may be out of one). */
  get isSubscribed(): boolean {
    return (
      this.#centrifuge.state === State.Connected &&
      [...this.rooms.values()].every(({ subscription }) => subscription.state !== SubscriptionState.Subscribing)
    )
  }

  /** Ends without leaving anything on record. */
  close(): void {
    this.#centrifuge.removeAllListeners()
    this.#centrifuge.disconnect()
  }

  /** Subscribes to a room and stays in it. */
  enter(room: string): void {
    const client = this.name
    const subscription = this.#centrifuge.newSubscription(room, { minResubscribeDelay: 50, maxResubscribeDelay: 1_000 })
    const state: Room = { subscription, epoch: '', offset: -1 }
    this.rooms.set(room, state)
    let recovering = false
    subscription.on('subscribed', ({ streamPosition, wasRecovering, recovered }) => {
      const at = performance.now()
      const { epoch, offset } = streamPosition ?? { epoch: '', offset: -1 }
      Object.assign(state, { epoch, offset })
      const recovery = wasRecovering ? (recovered ? 'recovered' : 'failed') : 'none'
      this.#record({ kind: 'subscribed', at, client, channel: room, epoch, offset, recovery })
      // The SDK hands over what was recovered in the same turn, after this handler.
      recovering = true
      queueMicrotask(() => (recovering = false))
    })
    subscription.on('publication', (publication) => {
      this.#record(deliveryOf(client, state.epoch, publication, recovering))
      state.offset = publication.offset ?? -1
    })
    const removed = ({ code, reason }: { code: number; reason: string }): void =>
      this.#record({ kind: 'unsubscribed', at: performance.now(), client, channel: room, code, reason })
    subscription.on('subscribing', (context) => {
      // Below 2000 the SDK speaks of its own doings: subscribe() was called, the transport closed.
      if (context.code >= 2_000) removed(context)
    })
    subscription.on('unsubscribed', (context) => {
      if (context.code === 0) this.#record({ kind: 'left', at: performance.now(), client, channel: room })
      else removed(context)
    })
    subscription.on('error', () => undefined)
    subscription.subscribe()
  }

  /** Leaves a room for a while and comes back. */
  async leaveFor(room: string, awayMs: number): Promise<void> {
    const { subscription } = this.#room(room)
    subscription.unsubscribe()
    await sleep(awayMs)
    subscription.subscribe()
    await subscription.ready(2 * answerDeadlineMs).catch(() => undefined)
  }

  /** A plain publish, without a key and without a second attempt. */
  async publish(channel: string, payload: Payload): Promise<void> {
    if (!(await this.#isIn(channel))) return
    await this.#attempt(channel, payload, 1, async () => {
      await this.#centrifuge.publish(channel, payload)
      return null
    })
  }

  /** A message with a key, sent again while it is not clear whether it arrived, `attempts` times at most. */
  async send(channel: string, payload: Payload, attempts: number): Promise<void> {
    const { message } = payload
    for (let attempt = 1; attempt <= attempts && (await this.#isIn(channel)); attempt++) {
      const clear = await this.#attempt(channel, payload, attempt, async () => {
        const { data } = await this.#centrifuge.rpc('chat.send', { channel, data: payload, key: message })
        return data as { epoch: string; offset: number }
      })
      if (clear) return
      await sleep(retryPauseMs)
    }
  }

  /** Reads a room to its end through the API; returns its top. */
  async readStore(room: string): Promise<number> {
    for (let after = 0; ;) {
      const { data } = await this.#centrifuge.rpc('chat.messages', { channel: room, after, limit: 100 })
      const { messages, epoch, top } = data as StoredPage
      for (const { offset, data } of messages) {
        this.#record({ kind: 'stored', at: performance.now(), channel: room, epoch, offset, ...data })
      }
      after = messages.at(-1)?.offset ?? after
      if (messages.length > 0) continue
      this.#record({ kind: 'store-read', at: performance.now(), channel: room, epoch, top })
      return top
    }
  }

  #room(name: string): Room {
    const room = this.rooms.get(name)
    if (room === undefined) throw new Error(`${this.name} never entered ${name}`)
    return room
  }

  /** Waits until it is in the room: only subscribers may publish. False when that takes too long. */
  async #isIn(room: string): Promise<boolean> {
    return this.#room(room)
      .subscription.ready(answerDeadlineMs)
      .then(
        () => true,
        () => false,
      )
  }

  /** Returns whether the outcome is clear. */
  async #attempt(
    channel: string,
    { message, body }: Payload,
    attempt: number,
    send: () => Promise<{ epoch: string; offset: number } | null>,
  ): Promise<boolean> {
    const about = { client: this.name, channel, message, attempt }
    this.#record({ kind: 'send', at: performance.now(), ...about, body })
    try {
      const answer = await send()
      const place = answer === null ? null : { epoch: answer.epoch, offset: answer.offset }
      this.#record({ kind: 'acknowledged', at: performance.now(), ...about, place })
      return true
    } catch (error) {
      const { code, message: reason } = error as { code: number; message: string }
      // Below it the SDK speaks (timeout, connection closed); it is the server's "unknown".
      const maybe = code <= errors.internal.code
      const at = performance.now()
      this.#record(
        maybe
          ? { kind: 'maybe', at, ...about, reason: `${code} ${reason}` }
          : { kind: 'refused', at, ...about, code, reason },
      )
      return !maybe
    }
  }
}

/** A WebSocket class that takes the next of `urls` each time, as a balancer in front of several proxies does. */
function rotating(urls: string[], first: number): new (url: string, protocols?: string | string[]) => WebSocket {
  let turn = first
  return class extends WebSocket {
    constructor(_url: string, protocols?: string | string[]) {
      super(urls[turn++ % urls.length] ?? '', protocols)
    }
  }
}

function deliveryOf(client: string, epoch: string, publication: PublicationContext, recovered: boolean): Operation {
  const { message, body } = publication.data as Payload
  const { channel, offset = -1 } = publication
  return { kind: 'delivery', at: performance.now(), client, channel, epoch, offset, message, body, recovered }
}
