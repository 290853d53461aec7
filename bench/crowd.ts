import { setTimeout as sleep } from 'node:timers/promises'
import { Subscriber } from './subscriber.ts'
import type { Position, Publication, Target } from './subscriber.ts'

/** A client, whatever connection it has at the moment. */
interface Member {
  token: string
  room: string
  subscriber: Subscriber
  /** Where it was when it joined, last; null at the bare server. */
  joinedAt: Position | null
}

/** Connections that are being made at the same time while nobody measures. */
const joiningMax = 64
/** After the last that is expected nothing more may come for this time. */
const silenceMs = 500

/** The clients of the generator: so many in so many rooms, that lose their connections together and come back. */
export class Crowd {
  readonly members: Member[] = []
  readonly #target: Target
  #expectsEnd = false
  /** Connections that ended though nobody wanted it, and why the first did. */
  readonly gone = { count: 0, why: '' }

  constructor(target: Target) {
    this.#target = target
  }

  get subscribers(): Subscriber[] {
    return this.members.map(({ subscriber }) => subscriber)
  }

  /** One client for each token, spread over the rooms. */
  async join(tokens: string[], rooms: number): Promise<void> {
    const next = tokens.entries()
    const joinOnes = async () => {
      for (const [index, token] of next) {
        const room = `room-${index % rooms}`
        const subscriber = this.#subscriber(room)
        const joinedAt = await subscriber.join(token, null)
        this.members[index] = { token, room, subscriber, joinedAt }
      }
    }
    await Promise.all(Array.from({ length: joiningMax }, joinOnes))
  }

  /** All connections end at once. */
  drop(): void {
    this.#expectsEnd = true
    for (const { subscriber } of this.members) subscriber.wire.destroy()
  }

  /** So many publications in every room, by one who has none of them. */
  async publish(token: string, perRoom: number): Promise<void> {
    const publisher = new Subscriber(this.#target, '')
    await publisher.connect(token)
    for (const room of new Set(this.members.map(({ room }) => room))) {
      for (let count = 0; count < perRoom; count++) await publisher.publish({ sentAt: 0, by: 0 }, room)
    }
    publisher.wire.destroy()
  }

  /**
   * All come back at once and recover `missed` publications each; throws when one gets anything but each of them once,
   * in order. Returns the time until the last was there, in ms.
   */
  async comeBack(missed: number): Promise<number> {
    this.#expectsEnd = false
    const start = performance.now()
    const received = await Promise.all(
      this.members.map(async (member) => {
        const { token, room, joinedAt: from } = member
        const publications: Publication[] = []
        member.subscriber = this.#subscriber(room)
        member.subscriber.onPublication = (publication) => publications.push(publication)
        const joined = await member.subscriber.join(token, from)
        member.joinedAt = joined
        return { from, recovered: joined?.recovered, publications }
      }),
    )
    const elapsedMs = performance.now() - start
    await sleep(silenceMs)
    if (this.#target.kind === 'bare') return elapsedMs
    for (const { from, recovered, publications } of received) {
      const offsets = publications.map(({ offset }) => offset! - from!.offset).join()
      const expected = Array.from({ length: missed }, (_, index) => index + 1).join()
      if (!recovered || offsets !== expected) {
        throw new Error(`a client missed ${expected} and recovered ${offsets || 'nothing'} (recovered: ${recovered})`)
      }
    }
    return elapsedMs
  }

  #subscriber(room: string): Subscriber {
    const subscriber = new Subscriber(this.#target, room)
    subscriber.wire.onGone = (why) => {
      if (this.#expectsEnd) return
      this.gone.count++
      this.gone.why ||= why
    }
    return subscriber
  }
}
