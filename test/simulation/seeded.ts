/** Randomness that a seed decides. */
import type { Random } from '../../platform/random.ts'

/**
 * A generator that a name decides wholly: the same numbers on every machine (sfc32, filled from the name by a
 * multiplicative hash). Only 32-bit integer arithmetic, so that no platform rounds otherwise.
 */
export class Seeded implements Random {
  readonly #name: string
  #a: number
  #b: number
  #c: number
  #d = 1

  constructor(name: string) {
    this.#name = name
    let hash = 1_779_033_703 ^ name.length
    for (let at = 0; at < name.length; at++) {
      hash = Math.imul(hash ^ name.charCodeAt(at), 3_432_918_353)
      hash = (hash << 13) | (hash >>> 19)
    }
    const word = () => {
      hash = Math.imul(hash ^ (hash >>> 16), 2_246_822_507)
      hash = Math.imul(hash ^ (hash >>> 13), 3_266_489_909)
      return (hash ^= hash >>> 16) | 0
    }
    this.#a = word()
    this.#b = word()
    this.#c = word()
    for (let round = 0; round < 12; round++) this.#next()
  }

  /** Another generator of its own: what one part draws changes nothing for the others. */
  fork(name: string): Seeded {
    return new Seeded(`${this.#name}/${name}`)
  }

  float(): number {
    return this.#next() / 4_294_967_296
  }

  hex(bytes: number): string {
    let text = ''
    while (text.length < bytes * 2) text += this.#next().toString(16).padStart(8, '0')
    return text.slice(0, bytes * 2)
  }

  /** Uniform in [least, most). */
  between(least: number, most: number): number {
    return least + this.float() * (most - least)
  }

  /** A whole number from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.float() * (most - least + 1))
  }

  chance(probability: number): boolean {
    return this.float() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.float() * items.length)]!
  }

  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }
}
