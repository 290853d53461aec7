import { statfsSync } from 'node:fs'

/**
 * A disk that has taken a write has room again, unless it has refused another so recently: where little is left, small
 * writes find room between large ones that do not.
 */
export const roomAfterMs = 1_000

/** Told each change once. */
export interface DiskEvents {
  /** From now on nothing, or not everything, can be stored. */
  full(): void
  /** There is room again, after so long. */
  room(fullMs: number): void
}

/** Whether the disk below the engine's file has room: told by the writes that it refuses. */
export class Disk {
  readonly path: string
  readonly #events: DiskEvents
  readonly #nowMs: () => number
  #fullSince: number | null = null
  #refusedAt = 0

  /** `path` is anything on the disk. */
  constructor(path: string, events: DiskEvents, nowMs: () => number = () => performance.now()) {
    this.path = path
    this.#events = events
    this.#nowMs = nowMs
  }

  /** A write was refused, and no later one has shown that there is room. */
  get isFull(): boolean {
    return this.#fullSince !== null
  }

  /** Bytes that are left for this user. */
  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path)
    return bavail * bsize
  }

  /** A write found no room. */
  refused(): void {
    this.#refusedAt = this.#nowMs()
    if (this.isFull) return
    this.#fullSince = this.#refusedAt
    this.#events.full()
  }

  /** A write was taken. */
  accepted(): void {
    if (this.#fullSince === null) return
    const now = this.#nowMs()
    if (now - this.#refusedAt < roomAfterMs) return
    const fullMs = now - this.#fullSince
    this.#fullSince = null
    this.#events.room(fullMs)
  }
}
