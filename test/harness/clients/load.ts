/** The messages that a fleet sends, at a steady rate. */
import { until } from '../../support/until.ts'
import { answerDeadlineMs, attemptsMax } from './member.ts'
import type { Member, Payload } from './member.ts'

/** One in this many messages is a plain publish, without a key and without a second attempt. */
const publishEvery = 4

/** Time whose messages are sent at once at most, after this process could not run. */
const catchUpMaxMs = 100

/** A visitor rests this long between two visits. */
const visitPauseMs = 200

export interface LoadOptions {
  /** Begins the name of every message. */
  name: string
  sendsPerSecond: number
}

/** Clients take turns, and each takes turns between its rooms; visitors come, say something and go. Begins at once. */
export class Load implements Disposable {
  readonly #members: readonly Member[]
  readonly #options: LoadOptions
  readonly #timer: NodeJS.Timeout
  readonly #visits: Promise<void>[]
  readonly #pending = new Set<Promise<void>>()
  #sent = 0
  #isOver = false

  constructor(members: readonly Member[], visitors: readonly Member[], options: LoadOptions) {
    this.#members = members
    this.#options = options
    const perMs = options.sendsPerSecond / 1_000
    let at = performance.now()
    let due = 0
    this.#timer = setInterval(() => {
      const now = performance.now()
      // What could not be sent in time on a busy machine is left out: a burst would be another test.
      due += Math.min(now - at, catchUpMaxMs) * perMs
      at = now
      for (; due >= 1; due--) this.#sendOne()
    }, 10)
    this.#visits = visitors.map((visitor) => this.#visit(visitor))
  }

  /** Sends no more, and waits until every message has its outcome. */
  async stop(): Promise<void> {
    this[Symbol.dispose]()
    await Promise.all(this.#visits)
    const deadlineMs = attemptsMax * answerDeadlineMs * 2
    await until('every message to have an outcome', () => this.#pending.size === 0, deadlineMs)
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    clearInterval(this.#timer)
  }

  /** Leaves its rooms in turn, comes back, says something; is in both when the load has stopped. */
  async #visit(visitor: Member): Promise<void> {
    const rooms = [...visitor.rooms.keys()]
    for (let turn = 0; !this.#isOver; turn++) {
      const room = rooms[turn % rooms.length]
      if (room === undefined) return
      await visitor.leaveFor(room, visitPauseMs)
      await this.#send(visitor, room)
    }
  }

  #sendOne(): void {
    const number = this.#sent
    const member = this.#members[number % this.#members.length]
    if (member === undefined) return
    const rooms = [...member.rooms.keys()]
    const room = rooms[Math.floor(number / this.#members.length) % rooms.length]
    if (room === undefined) return
    const sending = number % publishEvery === 0 ? member.publish(room, this.#nextPayload()) : this.#send(member, room)
    this.#pending.add(sending)
    void sending.finally(() => this.#pending.delete(sending))
  }

  /** With a key; half of the messages may be sent again. */
  async #send(member: Member, room: string): Promise<void> {
    const payload = this.#nextPayload()
    await member.send(room, payload, this.#sent % 2 === 0 ? attemptsMax : 1)
  }

  #nextPayload(): Payload {
    const number = this.#sent++
    return { message: `${this.#options.name}-message-${number}`, body: `text ${number}` }
  }
}
