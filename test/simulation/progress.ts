/** How often a line is written where no bar can be drawn, ms. */
const lineEveryMs = 10_000
const barWidth = 30

/** Shows how far a long run is: a bar on a terminal, a line now and then elsewhere. */
export class Progress {
  readonly #total: number
  readonly #output: NodeJS.WriteStream
  readonly #start = performance.now()
  #done = 0
  #shownAt = 0

  constructor(total: number, output: NodeJS.WriteStream) {
    this.#total = total
    this.#output = output
  }

  step(): void {
    this.#done++
    const now = performance.now()
    const everyMs = this.#output.isTTY ? 100 : lineEveryMs
    if (now - this.#shownAt < everyMs && this.#done < this.#total) return
    this.#shownAt = now
    this.#output.write(this.#output.isTTY ? `\r${this.#text(now)}` : `${this.#text(now)}\n`)
  }

  end(): void {
    if (this.#output.isTTY) this.#output.write('\n')
  }

  #text(now: number): string {
    const share = this.#done / this.#total
    const bar = '#'.repeat(Math.floor(share * barWidth)).padEnd(barWidth, '.')
    const perSecond = (this.#done / (now - this.#start)) * 1_000
    const leftSeconds = Math.round((this.#total - this.#done) / perSecond)
    return `[${bar}] ${this.#done}/${this.#total} seeds, ${perSecond.toFixed(1)}/s, ${leftSeconds} s left `
  }
}
