import { randomFillSync } from 'node:crypto'

/** Randomness, injected so that a seed can replay a run. */
export interface Random {
  /** Uniform in [0, 1). */
  float(): number
  /** `bytes` random bytes as hex. */
  hex(bytes: number): string
}

/** A call to the system's generator costs far more than the bytes it gives: they are fetched in bulk. */
const pool = Buffer.alloc(8_192)
let used = pool.length

/** The system's generator for ids and tokens; `float` spreads times, and nothing secret hangs on it. */
export const systemRandom: Random = {
  float: () => Math.random(),
  hex(bytes) {
    if (used + bytes > pool.length) {
      randomFillSync(pool)
      used = 0
    }
    used += bytes
    return pool.toString('hex', used - bytes, used)
  },
}

/** A random (version 4) UUID of RFC 9562. */
export function uuid(random: Random): string {
  const hex = random.hex(16)
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4]!
  const text = `${hex.slice(0, 12)}4${hex.slice(13, 16)}${variant}${hex.slice(17)}`
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
