/** A simulated client: it does what users do, checks what it is told, and puts it on record. */
import { errors } from '../../protocol/client/codes.ts'
import type { Operation } from '../checker/history.ts'
import type { Message } from '../harness/clients/messages.ts'
import { bodyOf, commandOf } from './asked.ts'
import type { Asked, Publication, Room, Sending, SubscribeResult } from './asked.ts'
import type { Connection, ConnectionEvents } from './connection.ts'
import type { Scheduler } from './scheduler.ts'
import type { Seeded } from './seeded.ts'

/** A client that waits for a server longer than this gives up and goes elsewhere, ms. */
const connectTimeoutMs = 1_500
/** Pause before it connects again, before it tries a subscribe again, and before it sends a message again, at most. */
const againMs = { connect: 150, subscribe: 100, send: 200 }
/** The pause before a message is sent again, or a subscribe tried, doubles with each attempt, as SDKs do; this many times. */
const backOffsMax = 4
/** Commands without an answer over which it does nothing new. */
const askedMax = 12
/** How often it looks whether the server still pings. */
const lookMs = 250

/** What a client itself notes of an operation of its own. */
type Own<O> = O extends { client: string } ? Omit<O, 'at' | 'client'> : never

export interface ClientWorld {
  scheduler: Scheduler
  random: Seeded
  rooms: string[]
  thinkMs: number
  /** Silence after which the client goes elsewhere, ms. */
  silenceMs: number
  /** Null when there is nobody to connect to. */
  connect(events: ConnectionEvents): Connection | null
  record(operation: Operation): void
  /** A rule is broken that no history shows. */
  broken(problem: string): void
  /** A command ended in an internal error after `ms`, sooner than by its deadline. */
  unclear(ms: number, what: string): void
  /** False when the store may go back in time: until its owner finds out, a slot reads less than there was. */
  isStoreSteady: boolean
  /** The server said that a position is insufficient. */
  missed(what: string): void
}

/** A client that does things at random, and notes all it did and saw. */
export class SimulatedClient {
  readonly name: string
  readonly #world: ClientWorld
  readonly #random: Seeded
  readonly #rooms: Room[]
  #connection: Connection | null = null
  #isConnected = false
  #isBusy = true
  #heardAt = 0
  #id = 0
  #messages = 0
  #asked = new Map<number, Asked>()
  /** With a key and without a clear answer: it cares for them. */
  readonly #again = new Set<Sending>()

  constructor(world: ClientWorld, name: string) {
    this.#world = world
    this.name = name
    this.#random = world.random.fork(name)
    const wanted = () => this.#random.chance(0.6)
    this.#rooms = world.rooms.map((room) => ({
      name: room,
      wanted: wanted(),
      state: 'out',
      position: null,
      failures: 0,
    }))
    this.#later(this.#random.between(0, 500), 'begins', () => this.#connect())
    this.#later(this.#random.between(0, world.thinkMs), 'thinks', () => this.#think())
    this.#watch()
  }

  /** Nothing at random any more: it stays in its rooms and brings what it began to an end. */
  calm(): void {
    this.#isBusy = false
    this.#connection?.stopReading(0)
  }

  /** What it still waits for, or null. */
  get waitsFor(): string | null {
    if (!this.#isConnected) return `${this.name} is not connected`
    if (this.#again.size > 0) return `${this.name} has ${this.#again.size} messages without a clear answer`
    if (this.#asked.size > 0) return `${this.name} has commands without an answer`
    const room = this.#rooms.find(({ wanted, state }) => state !== (wanted ? 'in' : 'out'))
    return room ? `${this.name} is ${room.state} of ${room.name}` : null
  }

  /** How far it is in the rooms it is in. */
  positions(): { room: string; offset: number }[] {
    return this.#rooms.flatMap(({ name, state, position }) =>
      state === 'in' && position ? [{ room: name, offset: position.offset }] : [],
    )
  }

  get silentMs(): number {
    return this.#world.scheduler.now - this.#heardAt
  }

  sendTo(room: string): void {
    const message = `${this.name}.${++this.#messages}`
    const isKeyed = this.#random.chance(0.5)
    this.#send({ message, room, key: isKeyed ? `key-${message}` : null, attempt: 0 })
  }

  slow(ms: number): void {
    this.#connection?.stopReading(ms)
  }

  #later(ms: number, what: string, run: () => void): void {
    this.#world.scheduler.after(ms, null, `${this.name} ${what}`, run)
  }

  #record(operation: Own<Operation>): void {
    this.#world.record({ ...operation, client: this.name, at: this.#world.scheduler.now })
  }

  #think(): void {
    if (!this.#isBusy) return
    this.#later(this.#random.between(0, this.#world.thinkMs * 2), 'thinks', () => this.#think())
    if (!this.#isConnected || this.#asked.size > askedMax) return
    const drawn = this.#random.float()
    const room = this.#random.pick(this.#rooms)
    if (drawn < 0.6) {
      for (let left = this.#random.chance(0.2) ? this.#random.integer(2, 6) : 1; left > 0; left--)
        this.sendTo(room.name)
    } else if (drawn < 0.75) {
      room.wanted = !room.wanted
      if (room.wanted) this.#join(room)
      else if (room.state === 'out') this.#record({ kind: 'left', channel: room.name })
      else this.#leave(room)
    } else if (drawn < 0.83) this.#ask({ kind: 'history', room: room.name, at: this.#world.scheduler.now })
    else if (drawn < 0.87) this.#leaveServer('away')
  }

  #watch(): void {
    this.#later(lookMs, 'looks', () => {
      this.#watch()
      if (this.#isConnected && this.silentMs > this.#world.silenceMs) this.#leaveServer('no ping')
    })
  }

  #connect(): void {
    if (this.#connection !== null) return
    const connection = this.#world.connect({
      user: this.name,
      opened: () => this.#connection === connection && this.#ask({ kind: 'connect' }),
      message: (message) => this.#connection === connection && this.#message(message),
      closed: (code, reason) => this.#connection === connection && this.#closed(code, reason),
    })
    this.#connection = connection
    if (connection === null) return this.#connectLater()
    this.#later(connectTimeoutMs, 'looks whether it is connected', () => {
      if (this.#connection === connection && !this.#isConnected) this.#leaveServer('timeout')
    })
  }

  #connectLater(): void {
    this.#later(this.#random.between(1, againMs.connect), 'connects again', () => this.#connect())
  }

  /** The client ends the connection itself. */
  #leaveServer(why: string): void {
    this.#connection?.drop()
    this.#closed(0, why)
  }

  #closed(code: number, reason: string): void {
    this.#connection = null
    if (this.#isConnected) this.#record({ kind: 'closed', code, reason })
    this.#isConnected = false
    const asked = this.#asked
    this.#asked = new Map()
    for (const each of asked.values()) if (each.kind === 'send') this.#unclear(each.sending, 'closed')
    for (const room of this.#rooms) {
      if (!room.wanted) this.#record({ kind: 'left', channel: room.name })
      room.state = 'out'
    }
    this.#connectLater()
  }

  #ask(asked: Asked): true {
    const id = ++this.#id
    this.#asked.set(id, asked)
    this.#connection!.send(JSON.stringify({ id, ...commandOf(asked) }))
    return true
  }

  #join(room: Room): void {
    if (!this.#isConnected || room.state !== 'out' || !room.wanted) return
    room.state = 'joining'
    this.#ask({ kind: 'join', room, recovering: room.position !== null })
  }

  #leave(room: Room): void {
    if (!this.#isConnected || (room.state !== 'in' && room.state !== 'joining')) return
    room.state = 'leaving'
    this.#ask({ kind: 'leave', room, recovering: false })
  }

  #joinLater(room: Room): void {
    const most = againMs.subscribe * 2 ** Math.min(room.failures, backOffsMax)
    this.#later(this.#random.between(1, most), `joins ${room.name}`, () => this.#join(room))
  }

  #send(before: Sending): void {
    this.#again.delete(before)
    const sending = { ...before, attempt: before.attempt + 1 }
    const { message, room, attempt } = sending
    this.#record({ kind: 'send', channel: room, message, attempt, body: bodyOf(message) })
    this.#ask({ kind: 'send', sending, at: this.#world.scheduler.now })
  }

  /** Nobody knows whether it happened. With a key it can be sent again. */
  #unclear(sending: Sending, reason: string): void {
    const { message, room, attempt } = sending
    this.#record({ kind: 'maybe', channel: room, message, attempt, reason })
    this.#sendAgain(sending)
  }

  #sendAgain(sending: Sending): void {
    if (sending.key === null) return
    this.#again.add(sending)
    const most = againMs.send * 2 ** Math.min(sending.attempt, backOffsMax)
    this.#later(this.#random.between(1, most), 'sends again', () => {
      if (!this.#again.has(sending)) return
      if (this.#isConnected) this.#send(sending)
      else this.#sendAgain(sending)
    })
  }

  #message(message: Message): void {
    this.#heardAt = this.#world.scheduler.now
    const { id, push } = message
    if (id) return this.#reply(id, message)
    if (push?.pub) return this.#publication(push.channel!, push.pub, false)
    if (push?.unsubscribe) return this.#unsubscribed(push.channel!, push.unsubscribe.code)
    if (Object.keys(message).length === 0) this.#connection!.send('{}')
  }

  #reply(id: number, message: Message): void {
    const asked = this.#asked.get(id)
    if (!this.#asked.delete(id)) return this.#world.broken(`${this.name}: command ${id} was answered twice`)
    switch (asked!.kind) {
      case 'connect':
        if (message.error) return this.#leaveServer('refused')
        this.#isConnected = true
        this.#record({ kind: 'opened' })
        for (const room of this.#rooms) this.#join(room)
        return
      case 'join':
        return this.#joined(asked!, message)
      case 'leave':
        return message.error ? this.#notLeft(asked!.room) : this.#left(asked!.room)
      case 'send':
        return this.#sent(asked!.sending, asked!.at, message)
      case 'history':
        return this.#history(asked!.room, asked!.at, message)
    }
  }

  #joined({ room, recovering }: Asked & { kind: 'join' | 'leave' }, message: Message): void {
    const result = message.subscribe as SubscribeResult | undefined
    if (result === undefined) {
      if (message.error!.code !== errors.internal.code && message.error!.code !== errors.tooManyRequests.code)
        this.#world.broken(`${this.name}: subscribe to ${room.name} ended in ${message.error!.code}`)
      if (room.state !== 'joining') return
      room.state = 'out'
      room.failures++
      return this.#joinLater(room)
    }
    room.failures = 0
    const { epoch, offset } = result
    const recovery = !recovering ? 'none' : result.recovered === true ? 'recovered' : 'failed'
    this.#record({ kind: 'subscribed', channel: room.name, epoch, offset, recovery })
    room.position = { epoch, offset }
    if (room.state === 'joining') room.state = 'in'
    for (const publication of result.publications ?? []) this.#publication(room.name, publication, true)
  }

  #notLeft(room: Room): void {
    if (room.state !== 'leaving') return
    room.state = 'in'
    if (!room.wanted)
      this.#later(this.#random.between(1, againMs.subscribe), `leaves ${room.name}`, () => this.#leaveAgain(room))
  }

  #leaveAgain(room: Room): void {
    if (!room.wanted) this.#leave(room)
  }

  #left(room: Room): void {
    if (room.state === 'leaving') {
      room.state = 'out'
      this.#record({ kind: 'left', channel: room.name })
    }
    this.#join(room)
  }

  #unsubscribed(channel: string, code: number): void {
    const room = this.#rooms.find(({ name }) => name === channel)!
    this.#record({ kind: 'unsubscribed', channel, code, reason: '' })
    this.#world.missed(`${this.name} was taken out of ${channel} with ${code}`)
    if (room.state !== 'in') return
    room.state = 'out'
    this.#joinLater(room)
  }

  #sent(sending: Sending, at: number, reply: Message): void {
    const { message, room, attempt } = sending
    const { error } = reply
    if (!error) {
      const place = (reply.rpc as { data: { epoch: string; offset: number } } | undefined)?.data ?? null
      const known = place && { epoch: place.epoch, offset: place.offset }
      return this.#record({ kind: 'acknowledged', channel: room, message, attempt, place: known })
    }
    if (error.code === errors.internal.code) {
      this.#world.unclear(this.#world.scheduler.now - at, `${message} of ${this.name}`)
      return this.#unclear(sending, error.message)
    }
    if (error.code !== errors.tooManyRequests.code)
      this.#world.broken(`${this.name}: ${message} ended in ${error.code} ${error.message}`)
    this.#record({ kind: 'refused', channel: room, message, attempt, code: error.code, reason: error.message })
    this.#sendAgain(sending)
  }

  #history(room: string, at: number, { error, history }: Message): void {
    if (error) {
      if (error.code === errors.internal.code)
        return this.#world.unclear(this.#world.scheduler.now - at, `a history of ${this.name}`)
      if (error.code !== errors.tooManyRequests.code) this.#world.broken(`${this.name}: history ended in ${error.code}`)
      return
    }
    const { publications, offset } = history as { publications: Publication[]; offset: number }
    const whole = publications.every((each, index) => each.offset === offset - index)
    if (!whole && this.#world.isStoreSteady)
      this.#world.broken(`${this.name}: the history of ${room} has gaps, ${JSON.stringify(history)}`)
  }

  #publication(channel: string, { offset, data }: Publication, recovered: boolean): void {
    const room = this.#rooms.find(({ name }) => name === channel)!
    const message = (data as { m: string }).m
    const epoch = room.position?.epoch ?? ''
    const body = JSON.stringify(data)
    this.#record({ kind: 'delivery', channel, epoch, offset, message, body, recovered })
    if (room.position) room.position.offset = offset
  }
}
