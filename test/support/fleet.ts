import { setTimeout as sleep } from 'node:timers/promises'
import { Centrifuge, State, SubscriptionState, type PublicationContext, type Subscription } from 'centrifuge'
import { WebSocket } from 'ws'
import { check, report } from '../integrity/checker.ts'
import type { Operation } from '../integrity/history.ts'
import { until } from './until.ts'

export interface FleetOptions {
  url: string
  token: (user: string) => Promise<string>
  /** Put before every room's name: two fleets of one cluster never meet. */
  name: string
  /** Clients that stay in their rooms. */
  clients?: number
  rooms?: number
  roomsPerClient?: number
  sendsPerSecond?: number
  /** Clients that come and go: pairs of them share two rooms that are else empty. */
  visitors?: number
}

/** One in this many messages is a plain publish, without a key and without a second attempt. */
export const publishEvery = 4

/** A message with a key is sent at most this often. */
export const attemptsMax = 10

/** Clients that connect at the same time while a fleet starts. */
export const connectingMax = 25

/** A command's answer is waited for this long (the SDK's own default). */
export const answerDeadlineMs = 5_000

/** Between two attempts to send a message. */
export const retryPauseMs = 200

/** A visitor rests this long between two visits. */
export const visitPauseMs = 200

/** What goes over the wire. */
interface Payload {
  message: string
  body: string
}

interface StoredPage {
  messages: { offset: number; data: Payload }[]
  epoch: string
  top: number
}

interface Member {
  name: string
  centrifuge: Centrifuge
  rooms: Map<string, { subscription: Subscription; epoch: string; offset: number }>
}

/**
 * Many real clients (the `centrifuge` SDK over real sockets), each in a few rooms, that send at a steady rate. What
 * they do and see goes into `operations`.
 */
export class Fleet implements Disposable {
  readonly operations: Operation[] = []
  readonly #members: Member[] = []
  readonly #rooms: string[]
  readonly #options: Required<FleetOptions>
  readonly #pending = new Set<Promise<void>>()
  readonly #visitors: Member[] = []
  #sent = 0
  #load: NodeJS.Timeout | null = null
  #visits: Promise<void>[] = []

  private constructor(options: FleetOptions) {
    this.#options = { clients: 200, rooms: 40, roomsPerClient: 4, sendsPerSecond: 200, visitors: 8, ...options }
    this.#rooms = Array.from({ length: this.#options.rooms }, (_, index) => `${options.name}-${index}`)
  }

  /** Connects all clients and waits until every one is subscribed to its rooms. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options)
    const { clients } = fleet.#options
    for (let first = 0; first < clients; first += connectingMax) {
      const count = Math.min(connectingMax, clients - first)
      await Promise.all(Array.from({ length: count }, (_, index) => fleet.#join(first + index)))
      await fleet.connected()
    }
    for (let index = 0; index < fleet.#options.visitors; index++) await fleet.#joinVisitor(index)
    await fleet.connected()
    return fleet
  }

  get #everybody(): Member[] {
    return [...this.#members, ...this.#visitors]
  }

  /** Starts the steady load. Clients take turns, and each takes turns between its rooms. */
  startLoad(): void {
    const startedAt = performance.now()
    let due = 0
    this.#load = setInterval(() => {
      const elapsed = performance.now() - startedAt
      for (; due < (elapsed * this.#options.sendsPerSecond) / 1_000; due++) this.#sendOne()
    }, 10)
    this.#visits = this.#visitors.map((visitor) => this.#visit(visitor))
  }

  /** Stops the load and waits until every message has its outcome. */
  async stopLoad(): Promise<void> {
    if (this.#load !== null) clearInterval(this.#load)
    this.#load = null
    await Promise.all(this.#visits)
    const deadlineMs = attemptsMax * answerDeadlineMs * 2
    await until(() => this.#pending.size === 0, { deadlineMs, what: 'every message to have an outcome' })
  }

  /** Waits until `count` more messages were acknowledged: traffic flows. */
  async flows(count = 100, deadlineMs = 10_000): Promise<void> {
    let seen = this.operations.length
    let acknowledged = 0
    await until(
      () => {
        for (; seen < this.operations.length; seen++) {
          if (this.operations[seen]?.kind === 'acknowledged') acknowledged += 1
        }
        return acknowledged >= count
      },
      { deadlineMs, what: `${count} more messages to be acknowledged` },
    )
  }

  /** Waits until every client is connected and subscribed. */
  async connected(deadlineMs = 20_000): Promise<void> {
    await until(() => this.#everybody.every(isSubscribed), { deadlineMs, what: 'every client to be subscribed' })
  }

  /**
   * From now until close(), sockets may close, and clients be taken out of channels, with one of `codes` (as the SDK
   * names them; 1 = transport closed).
   */
  mayClose(name: string, codes: number[]): { close: () => void } {
    this.#record({ kind: 'window-opened', at: performance.now(), name, codes })
    return { close: () => this.#record({ kind: 'window-closed', at: performance.now(), name }) }
  }

  note(text: string): void {
    this.#record({ kind: 'note', at: performance.now(), text })
  }

  /** True when every answer so far was a clear one. */
  get clear(): boolean {
    return this.operations.every((operation) => operation.kind !== 'maybe')
  }

  /** All faults are over: waits until everybody is back, and asks for clear answers from here on. */
  async healed(): Promise<void> {
    await this.connected()
    this.#record({ kind: 'healed', at: performance.now() })
  }

  /**
   * Stops the load, reads the whole store through the API, waits until every client has all of it, and checks the
   * history. Returns an empty string, or what is wrong.
   */
  async verdict(): Promise<string> {
    await this.stopLoad()
    const tops = await this.#readStore()
    const complete = (): boolean =>
      this.#everybody.every((member) => [...member.rooms].every(([room, { offset }]) => offset === tops.get(room)))
    // When it does not come about, the checker names what is missing.
    await until(complete, { deadlineMs: 5_000, what: 'every client to be at the top' }).catch(() => undefined)
    const findings = check(this.operations)
    return findings.length === 0 ? '' : report(findings)
  }

  /** What happened, in one line. */
  summary(): string {
    const kinds = Map.groupBy(this.operations, (operation) => operation.kind)
    const count = (kind: Operation['kind']): number => kinds.get(kind)?.length ?? 0
    const refusals = this.operations.filter((operation) => operation.kind === 'refused')
    const codes = [...new Set(refusals.map(({ code, reason }) => `${code} ${reason}`))].join(', ')
    const recovered = this.operations.filter((operation) => operation.kind === 'delivery' && operation.recovered).length
    return (
      `${count('send')} sends: ${count('acknowledged')} acknowledged, ${count('maybe')} maybe, ` +
      `${count('refused')} refused${codes === '' ? '' : ` (${codes})`}; ${count('delivery')} deliveries, ${recovered} of them recovered; ` +
      `${count('closed')} closes, ${count('unsubscribed')} unsubscribes`
    )
  }

  [Symbol.dispose](): void {
    if (this.#load !== null) clearInterval(this.#load)
    this.#load = null
    for (const { centrifuge } of this.#everybody) {
      centrifuge.removeAllListeners()
      centrifuge.disconnect()
    }
  }

  async #join(index: number): Promise<void> {
    const { name, roomsPerClient } = this.#options
    const member = await this.#connect(`${name}-user-${index}`)
    this.#members.push(member)
    for (let turn = 0; turn < roomsPerClient; turn++) {
      const room = this.#rooms[(index * roomsPerClient + turn * (1 + (index % 7))) % this.#rooms.length]
      if (room !== undefined && !member.rooms.has(room)) this.#subscribe(member, room)
    }
  }

  async #joinVisitor(index: number): Promise<void> {
    const { name } = this.#options
    const visitor = await this.#connect(`${name}-visitor-${index}`)
    this.#visitors.push(visitor)
    for (const side of ['left', 'right']) {
      const room = `${name}-visit-${Math.floor(index / 2)}-${side}`
      if (index % 2 === 0) this.#rooms.push(room)
      this.#subscribe(visitor, room)
    }
  }

  async #connect(name: string): Promise<Member> {
    const token = await this.#options.token(name)
    const centrifuge = new Centrifuge(this.#options.url, {
      websocket: WebSocket,
      token,
      timeout: answerDeadlineMs,
      minReconnectDelay: 50,
      maxReconnectDelay: 1_000,
    })
    centrifuge.on('connected', () => this.#record({ kind: 'opened', at: performance.now(), client: name }))
    centrifuge.on('connecting', ({ code, reason }) => {
      // Code 0: connect() was called.
      if (code !== 0) this.#record({ kind: 'closed', at: performance.now(), client: name, code, reason })
    })
    centrifuge.on('disconnected', ({ code, reason }) =>
      this.#record({ kind: 'closed', at: performance.now(), client: name, code, reason }),
    )
    // Failed attempts to reconnect: what they lead to is recorded.
    centrifuge.on('error', () => undefined)
    centrifuge.connect()
    return { name, centrifuge, rooms: new Map() }
  }

  /** Leaves its rooms in turn, comes back, says something; is in both when the load has stopped. */
  async #visit(visitor: Member): Promise<void> {
    for (let turn = 0; this.#load !== null; turn++) {
      const [room, state] = [...visitor.rooms][turn % visitor.rooms.size] ?? []
      if (room === undefined || state === undefined) return
      state.subscription.unsubscribe()
      await sleep(visitPauseMs)
      state.subscription.subscribe()
      await state.subscription.ready(2 * answerDeadlineMs).catch(() => undefined)
      await this.#send(visitor, room, this.#nextPayload())
    }
  }

  #subscribe(member: Member, room: string): void {
    const { name: client, centrifuge } = member
    const subscription = centrifuge.newSubscription(room, { minResubscribeDelay: 50, maxResubscribeDelay: 1_000 })
    const state = { subscription, epoch: '', offset: -1 }
    member.rooms.set(room, state)
    let recovering = false
    subscription.on('subscribed', ({ streamPosition, wasRecovering, recovered }) => {
      const at = performance.now()
      state.epoch = streamPosition?.epoch ?? ''
      state.offset = streamPosition?.offset ?? -1
      const recovery = wasRecovering ? (recovered ? 'recovered' : 'failed') : 'none'
      this.#record({
        kind: 'subscribed',
        at,
        client,
        channel: room,
        epoch: state.epoch,
        offset: state.offset,
        recovery,
      })
      // The SDK hands over what was recovered in the same turn, after this handler.
      recovering = true
      queueMicrotask(() => (recovering = false))
    })
    subscription.on('publication', (publication) => {
      this.#record(deliveryOf(client, state.epoch, publication, recovering))
      state.offset = publication.offset ?? -1
    })
    const removed = ({ code, reason }: { code: number; reason: string }): void => {
      // Below 2000 the SDK speaks of its own doings: subscribe() was called, the transport closed.
      if (code < 2_000) return
      this.#record({ kind: 'unsubscribed', at: performance.now(), client, channel: room, code, reason })
    }
    subscription.on('subscribing', removed)
    subscription.on('unsubscribed', ({ code, reason }) => {
      if (code === 0) this.#record({ kind: 'left', at: performance.now(), client, channel: room })
      else removed({ code, reason })
    })
    subscription.on('error', () => undefined)
    subscription.subscribe()
  }

  #sendOne(): void {
    const number = this.#sent
    const member = this.#members[number % this.#members.length]
    if (member === undefined) return
    const rooms = [...member.rooms.keys()]
    const room = rooms[Math.floor(number / this.#members.length) % rooms.length]
    if (room === undefined) return
    const payload = this.#nextPayload()
    const sending =
      number % publishEvery === 0 ? this.#publish(member, room, payload) : this.#send(member, room, payload)
    this.#pending.add(sending)
    void sending.finally(() => this.#pending.delete(sending))
  }

  #nextPayload(): Payload {
    const number = this.#sent++
    return { message: `${this.#options.name}-message-${number}`, body: `text ${number}` }
  }

  async #publish(member: Member, channel: string, payload: Payload): Promise<void> {
    await this.#attempt(member, channel, payload, 1, async () => {
      await member.centrifuge.publish(channel, payload)
      return null
    })
  }

  /** With a key; half of the messages are sent again while it is not clear whether they arrived. */
  async #send(member: Member, channel: string, payload: Payload): Promise<void> {
    const { message } = payload
    const attempts = this.#sent % 2 === 0 ? attemptsMax : 1
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const clear = await this.#attempt(member, channel, payload, attempt, async () => {
        const { data } = await member.centrifuge.rpc('chat.send', { channel, data: payload, key: message })
        return data as { epoch: string; offset: number }
      })
      if (clear) return
      await sleep(retryPauseMs)
      await member.centrifuge.ready(answerDeadlineMs).catch(() => undefined)
    }
  }

  /** Returns whether the outcome is clear. */
  async #attempt(
    member: Member,
    channel: string,
    { message, body }: Payload,
    attempt: number,
    send: () => Promise<{ epoch: string; offset: number } | null>,
  ): Promise<boolean> {
    const about = { client: member.name, channel, message, attempt }
    this.#record({ kind: 'send', at: performance.now(), ...about, body })
    try {
      const answer = await send()
      const place = answer === null ? null : { epoch: answer.epoch, offset: answer.offset }
      this.#record({ kind: 'acknowledged', at: performance.now(), ...about, place })
      return true
    } catch (error) {
      const { code, message: reason } = error as { code: number; message: string }
      // Up to 99 the SDK speaks (timeout, connection closed); 100 is the server's "unknown".
      const maybe = code <= 100
      const at = performance.now()
      this.#record(
        maybe
          ? { kind: 'maybe', at, ...about, reason: `${code} ${reason}` }
          : { kind: 'refused', at, ...about, code, reason },
      )
      return !maybe
    }
  }

  /** Reads every room to its end; returns the tops. */
  async #readStore(): Promise<Map<string, number>> {
    const tops = new Map<string, number>()
    for (const room of this.#rooms) {
      const reader = this.#everybody.find((member) => member.rooms.has(room))
      if (reader === undefined) continue
      for (let after = 0; ;) {
        const { data } = await reader.centrifuge.rpc('chat.messages', { channel: room, after, limit: 100 })
        const { messages, epoch, top } = data as StoredPage
        for (const { offset, data } of messages) {
          this.#record({ kind: 'stored', at: performance.now(), channel: room, epoch, offset, ...data })
        }
        after = messages.at(-1)?.offset ?? after
        if (messages.length > 0) continue
        this.#record({ kind: 'store-read', at: performance.now(), channel: room, epoch, top })
        tops.set(room, top)
        break
      }
    }
    return tops
  }

  #record(operation: Operation): void {
    this.operations.push(operation)
  }
}

/** Connected, and not waiting to get into a room (a visitor may be out of one). */
function isSubscribed(member: Member): boolean {
  return (
    member.centrifuge.state === State.Connected &&
    [...member.rooms.values()].every(({ subscription }) => subscription.state !== SubscriptionState.Subscribing)
  )
}

function deliveryOf(client: string, epoch: string, publication: PublicationContext, recovered: boolean): Operation {
  const { message, body } = publication.data as Payload
  const { channel, offset = -1 } = publication
  return { kind: 'delivery', at: performance.now(), client, channel, epoch, offset, message, body, recovered }
}
