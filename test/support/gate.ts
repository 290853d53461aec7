/** Where a hook waits while the test keeps it shut. */
export class Gate {
  #opened: PromiseWithResolvers<void> | null = null
  /** How many wait at it. */
  held = 0

  shut(): this {
    this.#opened ??= Promise.withResolvers<void>()
    return this
  }

  open(): void {
    this.#opened?.resolve()
    this.#opened = null
  }

  async pass(): Promise<void> {
    while (this.#opened) {
      this.held++
      await this.#opened.promise
      this.held--
    }
  }
}
