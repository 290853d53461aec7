/** A machine that has more to do than it can: a process for each core that never rests. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'

export class BusyMachine implements Disposable {
  readonly #children: ChildProcess[]

  constructor() {
    const restless = () => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' })
    this.#children = Array.from({ length: availableParallelism() }, restless)
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }
}
