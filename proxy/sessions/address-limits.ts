import type { Clock } from '../../platform/clock.ts'
import { subscriberOf } from '../../platform/networks.ts'
import { takeToken } from './token-bucket.ts'
import type { Bucket } from './token-bucket.ts'

/** The bounds of one address; all of them `client.…` of the configuration. */
export interface AddressLimitsOptions {
  /** Sessions that one address may have; 0 for any number. */
  connections: number
  /** New connections per second of one address in the long run; 0 for any number. */
  rate: number
  /** New connections of one address at once. */
  burst: number
}

/** Why an address gets no connection now. */
export type AddressRefusal = 'address_connections' | 'address_rate'

/** Addresses whose rate is remembered. Over it the one that was quiet longest is forgotten. */
export const ratedAddressesMax = 100_000

/**
 * What one client address may have at this proxy. An IPv6 address stands for its /64: whoever has one has them all.
 * Addresses are canonical texts.
 */
export class AddressLimits {
  readonly #clock: Clock
  readonly #options: AddressLimitsOptions
  readonly #sessions = new Map<string, number>()
  /** By the time of their last use, oldest first. An address that is not here has a full bucket. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock, options: AddressLimitsOptions) {
    this.#clock = clock
    this.#options = options
  }

  /** Addresses whose rate is remembered. */
  get rated(): number {
    return this.#buckets.size
  }

  /** Null when the address may open one more connection, which counts for its rate. */
  refuses(address: string): AddressRefusal | null {
    const { connections } = this.#options
    const subscriber = subscriberOf(address)
    if (!this.#take(subscriber)) return 'address_rate'
    return connections > 0 && (this.#sessions.get(subscriber) ?? 0) >= connections ? 'address_connections' : null
  }

  /** The connection has become a session. */
  opened(address: string): void {
    const subscriber = subscriberOf(address)
    this.#sessions.set(subscriber, (this.#sessions.get(subscriber) ?? 0) + 1)
  }

  /** The session is over. */
  closed(address: string): void {
    const subscriber = subscriberOf(address)
    const left = (this.#sessions.get(subscriber) ?? 0) - 1
    if (left > 0) this.#sessions.set(subscriber, left)
    else this.#sessions.delete(subscriber)
  }

  /** Forgets buckets that are full again. */
  sweep(): void {
    const { rate, burst } = this.#options
    const fullSince = this.#clock.monotonic() - (burst / rate) * 1_000
    for (const [subscriber, { at }] of this.#buckets) {
      if (at > fullSince) return
      this.#buckets.delete(subscriber)
    }
  }

  #take(subscriber: string): boolean {
    const { rate, burst } = this.#options
    if (rate === 0) return true
    const now = this.#clock.monotonic()
    const bucket = this.#buckets.get(subscriber) ?? { tokens: burst, at: now }
    this.#buckets.delete(subscriber)
    this.#buckets.set(subscriber, bucket)
    if (this.#buckets.size > ratedAddressesMax) this.#buckets.delete(this.#buckets.keys().next().value!)
    return takeToken(bucket, now, rate, burst)
  }
}
