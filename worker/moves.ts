import type { Clock } from '../platform/clock.ts'
import type { ControlRecord } from '../protocol/records/control.ts'
import type { StatusRecord } from '../protocol/records/status.ts'
import type { SlotId } from '../protocol/slot.ts'

type Move = Extract<ControlRecord, { type: 'move' }>
type Warmed = Extract<StatusRecord, { type: 'warmed' }>
type Released = Extract<StatusRecord, { type: 'released' }>

/**
 * What a worker knows of hand-offs: the newest hint per slot, which successors are warm, and which owners have let
 * go. Hints and announcements come on two topics in any order.
 */
export class Moves {
  readonly #clock: Clock
  readonly #hints = new Map<SlotId, Move>()
  readonly #warm = new Map<SlotId, Warmed>()
  readonly #released = new Map<SlotId, Released>()
  readonly #waiting = new Map<SlotId, { hinted: (move: Move) => void; released: (record: Released) => void }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A new hint ends the wait for an owner that the controller no longer waits for. */
  hint(move: Move): void {
    this.#hints.set(move.slot, move)
    this.#waiting.get(move.slot)?.hinted(move)
  }

  /** The newest hint for a slot, undefined when there was none. */
  latest(slot: SlotId): Move | undefined {
    return this.#hints.get(slot)
  }

  /** A successor is warm: its owner may let go. */
  warmed(record: Warmed): void {
    this.#warm.set(record.slot, record)
  }

  /** An owner has let go: whoever waits for it goes on. */
  released(record: Released): void {
    this.#released.set(record.slot, record)
    this.#waiting.get(record.slot)?.released(record)
  }

  /** No newer hint names another successor, or another epoch. */
  isCurrent(move: Move): boolean {
    const hint = this.#hints.get(move.slot)
    return hint !== undefined && hint.epoch === move.epoch && hint.to === move.to
  }

  /** No newer hint says that its owner is not waited for any more. */
  isAwaited(move: Move): boolean {
    const hint = this.#hints.get(move.slot)
    return hint !== undefined && hint.epoch === move.epoch && hint.from === move.from
  }

  /** The owner of a slot at `epoch` may let go: its successor is warm, or nobody is to follow. */
  mayLetGo(slot: SlotId, owner: string, epoch: number): boolean {
    const hint = this.#hints.get(slot)
    if (hint?.from !== owner || hint.epoch !== epoch) return false
    if (hint.to === null) return true
    const warm = this.#warm.get(slot)
    return warm?.epoch === epoch && warm.worker === hint.to
  }

  /** When the owner at `epoch` stopped, by its clock; null when it does not let go in time, and is to be fenced. */
  untilReleased(slot: SlotId, epoch: number, timeoutMs: number): Promise<number | null> {
    const earlier = this.#released.get(slot)
    if (earlier?.epoch === epoch) return Promise.resolve(earlier.stoppedAt)
    return new Promise((resolve) => {
      const end = (stoppedAt: number | null) => {
        this.#waiting.delete(slot)
        timer.cancel()
        resolve(stoppedAt)
      }
      const timer = this.#clock.after(timeoutMs, () => end(null))
      this.#waiting.set(slot, {
        hinted: (move) => {
          if (move.epoch !== epoch || move.from === null) end(null)
        },
        released: (record) => {
          if (record.epoch === epoch) end(record.stoppedAt)
        },
      })
    })
  }
}
