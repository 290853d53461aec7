/** Watches modules of production from inside, without changing what they do. */
import { AppendLane } from '../../log/append-lane.ts'
import type { SlotEvent } from '../../protocol/records/event.ts'
import { Dispatcher } from '../../proxy/dispatcher.ts'

/** Told which event the proxy whose step it is handles. */
let watch: ((event: SlotEvent) => void) | null = null

/** Sees every event that any proxy of this thread handles, until it is set to null. */
export function watchEvents(handled: ((event: SlotEvent) => void) | null): void {
  watch = handled
}

const { dispatch } = Dispatcher.prototype
Dispatcher.prototype.dispatch = function (slot, event, version) {
  watch?.(event)
  return dispatch.call(this, slot, event, version)
}

/** Told how many bytes wait in the lane that the process whose step it is has put something into. */
let watchLane: ((queuedBytes: number) => void) | null = null

/** Sees every lane of this thread grow, until it is set to null. */
export function watchLanes(grew: ((queuedBytes: number) => void) | null): void {
  watchLane = grew
}

const { push } = AppendLane.prototype
AppendLane.prototype.push = function (item) {
  push.call(this, item)
  watchLane?.(this.queuedBytes)
}
