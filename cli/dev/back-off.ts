/** A process that lived longer than this before it died is not in a crash loop. */
export const shortLifeMs = 5_000

/** Pause before the first restart; it doubles while the process lives shortly. */
export const backOffMinMs = 100

/** Bound for a process that never got to work. */
export const backOffMaxMs = 5_000
/** Bound for a process that did get to work before it died, so that a killed one is back soon however often. */
export const backOffReadyMaxMs = 1_000

/** How a process lived before it died. */
export interface Life {
  /** From its start to its end. */
  livedMs: number
  /** It said that it serves. */
  wasReady: boolean
}

/** Waiting times before restarts: none after a long life and the first time, then doubling with each short life. */
export class BackOff {
  #shortLives = 0

  /** Milliseconds to wait after this death. */
  delayMs({ livedMs, wasReady }: Life): number {
    if (livedMs >= shortLifeMs) this.#shortLives = 0
    const before = this.#shortLives++
    if (before === 0) return 0
    return Math.min(backOffMinMs * 2 ** (before - 1), wasReady ? backOffReadyMaxMs : backOffMaxMs)
  }
}
