import { lateMs } from '../../protocol/records/counters.ts'
import type { RoomCounters } from '../../protocol/records/counters.ts'

/** Rooms that a worker counts for; the one that was used longest ago is forgotten, and begins anew when it comes again. */
export const roomsMax = 1_000

/** What one heartbeat says of rooms at most. */
export const roomsPerBeat = { rooms: 32, bytes: 4_096 }

/** What the rooms of a worker come to: a bounded number of them, told little by little. */
export class RoomTallies {
  readonly #rooms = new Map<string, RoomCounters>()
  /** Moved since they were told, the one that waits longest first. */
  readonly #moved = new Set<RoomCounters>()

  /** To be counted in: it counts as moved. */
  of(room: string): RoomCounters {
    const known = this.#rooms.get(room)
    const tally = known ?? {
      room,
      commands: 0,
      errors: 0,
      refused: 0,
      silent: 0,
      several: 0,
      violations: 0,
      late: lateMs.map(() => 0),
    }
    if (known) this.#rooms.delete(room)
    else if (this.#rooms.size >= roomsMax) this.#forgetOldest()
    this.#rooms.set(room, tally)
    this.#moved.add(tally)
    return tally
  }

  /** Those that wait longest to be told, as many as fit. */
  take(): RoomCounters[] {
    const taken: RoomCounters[] = []
    let bytes = 0
    for (const tally of this.#moved) {
      bytes += Buffer.byteLength(JSON.stringify(tally)) + 1
      if (taken.length === roomsPerBeat.rooms || (taken.length > 0 && bytes > roomsPerBeat.bytes)) break
      this.#moved.delete(tally)
      taken.push({ ...tally, late: [...tally.late] })
    }
    return taken
  }

  #forgetOldest(): void {
    const [room, tally] = this.#rooms.entries().next().value!
    this.#rooms.delete(room)
    this.#moved.delete(tally)
  }
}
