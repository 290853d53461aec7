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
