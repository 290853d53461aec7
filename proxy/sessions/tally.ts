/** Names that are counted apart; what comes beyond them counts as `other`. */
export const namesMax = 32

/** Counts by name, for heartbeats: they only rise, and their names are bounded. */
export class Tally {
  readonly #counts = new Map<string, number>()

  inc(name: string): void {
    const key = this.#counts.has(name) || this.#counts.size < namesMax ? name : 'other'
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** As they are now. */
  get counts(): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }
}
