import { errors, unsubscribes } from '../../protocol/client/codes.ts'
import type { Operation, Recovery } from './history.ts'

/** Writes histories by hand: one channel `room` in epoch `e` unless told otherwise, one millisecond an operation. */
export class HistoryBuilder {
  readonly operations: Operation[] = []
  #at = 0

  /** Lets time pass. */
  wait(ms: number): this {
    this.#at += ms
    return this
  }

  opened(client: string): this {
    return this.#add({ kind: 'opened', at: this.#at, client })
  }

  closed(client: string, code = 1): this {
    return this.#add({ kind: 'closed', at: this.#at, client, code, reason: 'closed' })
  }

  subscribed(client: string, offset: number, recovery: Recovery = 'none', channel = 'room', epoch = 'e'): this {
    return this.#add({ kind: 'subscribed', at: this.#at, client, channel, epoch, offset, recovery })
  }

  unsubscribed(client: string, channel = 'room', code: number = unsubscribes.insufficient.code): this {
    return this.#add({ kind: 'unsubscribed', at: this.#at, client, channel, code, reason: 'insufficient state' })
  }

  left(client: string, channel = 'room'): this {
    return this.#add({ kind: 'left', at: this.#at, client, channel })
  }

  send(client: string, message: string, attempt = 1, channel = 'room'): this {
    return this.#add({ kind: 'send', at: this.#at, client, channel, message, attempt, body: bodyOf(message) })
  }

  acknowledged(client: string, message: string, offset: number | null, attempt = 1, channel = 'room'): this {
    const place = offset === null ? null : { epoch: 'e', offset }
    return this.#add({ kind: 'acknowledged', at: this.#at, client, channel, message, attempt, place })
  }

  maybe(client: string, message: string, attempt = 1, channel = 'room'): this {
    return this.#add({
      kind: 'maybe',
      at: this.#at,
      client,
      channel,
      message,
      attempt,
      reason: errors.internal.message,
    })
  }

  refused(
    client: string,
    message: string,
    attempt = 1,
    channel = 'room',
    code: number = errors.tooManyRequests.code,
  ): this {
    return this.#add({ kind: 'refused', at: this.#at, client, channel, message, attempt, code, reason: 'refused' })
  }

  delivery(client: string, message: string, offset: number, recovered = false, channel = 'room', epoch = 'e'): this {
    const body = bodyOf(message)
    return this.#add({ kind: 'delivery', at: this.#at, client, channel, epoch, offset, message, body, recovered })
  }

  /** The final read of a channel: `messages` lie at offset 1 and up. */
  store(messages: string[], channel = 'room', top = messages.length): this {
    for (const [index, message] of messages.entries()) {
      const body = bodyOf(message)
      this.#add({ kind: 'stored', at: this.#at, channel, epoch: 'e', offset: index + 1, message, body })
    }
    return this.#add({ kind: 'store-read', at: this.#at, channel, epoch: 'e', top })
  }

  windowOpened(name: string, codes: number[]): this {
    return this.#add({ kind: 'window-opened', at: this.#at, name, codes })
  }

  windowClosed(name: string): this {
    return this.#add({ kind: 'window-closed', at: this.#at, name })
  }

  healed(): this {
    return this.#add({ kind: 'healed', at: this.#at })
  }

  #add(operation: Operation): this {
    this.operations.push(operation)
    this.#at += 1
    return this
  }
}

function bodyOf(message: string): string {
  return `body of ${message}`
}
