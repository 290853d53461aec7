import { randomBytes } from 'node:crypto'

/** Randomness, injected so that a seed can replay a run. */
export interface Random {
  /** Uniform in [0, 1). */
  float(): number
  /** `bytes` random bytes as hex. */
  hex(bytes: number): string
}

export const systemRandom: Random = {
  float: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
}
