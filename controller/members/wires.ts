import type { OpenWire, Wire } from '../../platform/alive.ts'
import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { Member } from './members.ts'

/** Workers to which a wire is held at most; the others are known to be dead by their silence. */
export const wiresMax = 1_000

/** A wire to each worker that is known, so that the end of one is known without waiting for silence. */
export class Wires {
  readonly #open: OpenWire
  readonly #gone: (worker: string) => void
  readonly #wires = new Map<string, Wire>()

  constructor(open: OpenWire, gone: (worker: string) => void) {
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
    }
    for (const [id, { internal }] of known) {
      if (this.#wires.has(id) || this.#wires.size >= wiresMax) continue
      this.#wires.set(
        id,
        this.#open(internal, () => this.#gone(id)),
      )
    }
  }

  /** Closes all of them. */
  stop(): void {
    this.look([])
  }
}
