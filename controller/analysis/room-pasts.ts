import type { RoomCounters } from '../../protocol/records/counters.ts'
import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'

/** What came of a room's commands. */
export interface RoomTotals {
  commands: number
  errors: number
  /** Commands that were done without their message. */
  silent: number
  violations: number
  /** See `lateMs`. */
  late: readonly number[]
}

/** What a room did under a version since it was last told. */
export interface RoomNews {
  room: string
  version: string
  done: RoomTotals
}

/** Rooms that are remembered, and pairs of room and worker; the ones that were heard of longest ago are forgotten. */
export const roomsKept = { rooms: 10_000, counted: 20_000 }

/** What rooms did, as heartbeats tell little by little. Bounded: whatever is forgotten begins anew. */
export class RoomPasts {
  readonly #pasts = new Map<string, RoomTotals>()
  /** What a worker last said of a room. */
  readonly #said = new Map<string, RoomTotals>()

  /** What is new in a heartbeat. What a room did under a version that is on trial is no part of its past. */
  heard(beat: WorkerBeat, isOnTrial: (version: string) => boolean): RoomNews[] {
    return (beat.rooms ?? []).map((counters) => {
      const done = this.#newOf(beat.id, counters)
      if (!isOnTrial(beat.version)) this.#keep(counters.room, done)
      return { room: counters.room, version: beat.version, done }
    })
  }

  /** All that is known of a room's past; undefined when nothing is. */
  of(room: string): RoomTotals | undefined {
    return this.#pasts.get(room)
  }

  #newOf(worker: string, counters: RoomCounters): RoomTotals {
    const key = `${worker} ${counters.room}`
    const before = this.#said.get(key)
    this.#said.delete(key)
    this.#said.set(key, counters)
    if (this.#said.size > roomsKept.counted) this.#said.delete(this.#said.keys().next().value!)
    // A worker that forgot the room has begun to count anew.
    return before && before.commands <= counters.commands ? minus(counters, before) : counters
  }

  #keep(room: string, done: RoomTotals): void {
    const before = this.#pasts.get(room)
    this.#pasts.delete(room)
    this.#pasts.set(room, before ? plus(before, done) : done)
    if (this.#pasts.size > roomsKept.rooms) this.#pasts.delete(this.#pasts.keys().next().value!)
  }
}

/** The one and the other. */
export function plus(a: RoomTotals, b: RoomTotals): RoomTotals {
  return combined(a, b, (x, y) => x + y)
}

function minus(a: RoomTotals, b: RoomTotals): RoomTotals {
  return combined(a, b, (x, y) => Math.max(0, x - y))
}

function combined(a: RoomTotals, b: RoomTotals, of: (x: number, y: number) => number): RoomTotals {
  return {
    commands: of(a.commands, b.commands),
    errors: of(a.errors, b.errors),
    silent: of(a.silent, b.silent),
    violations: of(a.violations, b.violations),
    late: a.late.map((count, index) => of(count, b.late[index] ?? 0)),
  }
}
