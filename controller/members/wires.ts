import type { Env } from '../../cluster/env.ts'
import type { OpenWire, Wire } from '../../platform/alive.ts'
import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { Member } from './members.ts'

/** Workers to which a wire is held at most; the others are known to be dead by their silence. */
export const wiresMax = 1_000

/** A wire to each worker that is known, so that the end of one is known without waiting for silence. */
export class Wires {
  readonly #env: Pick<Env, 'metrics'>
  readonly #open: OpenWire
  readonly #gone: (worker: string) => void
  readonly #wires = new Map<string, Wire>()
  /** Workers whose wire stands: of another the end would show as silence only. */
  readonly #up = new Set<string>()
  #known = 0

  constructor(env: Pick<Env, 'metrics'>, open: OpenWire, gone: (worker: string) => void) {
    this.#env = env
    this.#open = open
    this.#gone = gone
  }

  /** To be called when workers have come or gone. */
  look(workers: readonly Member<WorkerBeat>[]): void {
    const known = new Map(workers.map(({ beat }) => [beat.id, beat]))
    for (const [id, wire] of this.#wires) {
      if (known.has(id)) continue
      wire.close()
      this.#wires.delete(id)
      this.#up.delete(id)
    }
    for (const [id, { internal }] of known) {
      if (this.#wires.has(id) || this.#wires.size >= wiresMax) continue
      const gone = () => this.#gone(id)
      this.#wires.set(
        id,
        this.#open(internal, gone, (isUp) => this.#turned(id, isUp)),
      )
    }
    this.#known = known.size
    this.#count()
  }

  /** Closes all of them. */
  stop(): void {
    this.look([])
  }

  #turned(id: string, isUp: boolean): void {
    if (isUp) this.#up.add(id)
    else this.#up.delete(id)
    this.#count()
  }

  #count(): void {
    const { workerWires } = this.#env.metrics
    workerWires.set({ status: 'up' }, this.#up.size)
    workerWires.set({ status: 'down' }, this.#known - this.#up.size)
  }
}
