/** Sets the clocks of real processes while they run. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Role } from './role.ts'

const preloaded = new URL('set-clock.js', import.meta.url).href

/** How far clocks are ahead of the right time, ms: one role's, or all that are not named. */
export type AheadMs = Partial<Record<Role | 'all', number>>

/** The time of day of a cluster's processes, which a test sets while they run. Timers know nothing of it. */
export class Clocks implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'holdfast-clocks-'))
  readonly #file = join(this.#directory, 'ahead.json')

  constructor(ahead: AheadMs = {}) {
    this.set(ahead)
  }

  /** For the environment of the cluster. */
  get settings(): NodeJS.ProcessEnv {
    return { NODE_OPTIONS: `--import=${preloaded}`, TEST_CLOCK_FILE: this.#file }
  }

  set(ahead: AheadMs): void {
    // Whole at once, for whoever reads it just then.
    writeFileSync(`${this.#file}.new`, JSON.stringify(ahead))
    renameSync(`${this.#file}.new`, this.#file)
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
