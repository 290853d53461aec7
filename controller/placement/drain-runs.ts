/** Drains remembered at most; the oldest gives way. */
export const drainsKept = 100

/** What the drains of workers have come to: the pause of each slot that moved, in ms. */
export class DrainRuns {
  readonly #pauses = new Map<string, number[]>()

  /** A worker is asked to drain; one that was asked before keeps its pauses. */
  start(worker: string): void {
    if (this.#pauses.has(worker)) return
    this.#pauses.set(worker, [])
    if (this.#pauses.size > drainsKept) this.#pauses.delete(this.#pauses.keys().next().value!)
  }

  /** A slot has moved; `from` is its owner before, when that let go. */
  pause(from: string | null, pauseMs: number): void {
    if (from !== null) this.#pauses.get(from)?.push(pauseMs)
  }

  /** Undefined when the worker was never asked to drain. */
  pausesOf(worker: string): number[] | undefined {
    return this.#pauses.get(worker)
  }
}
