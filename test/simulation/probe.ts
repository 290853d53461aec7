import { AppendLane } from '../../log/append-lane.ts'
import { Hub } from '../../proxy/channels/hub.ts'
import type { SlotEvent } from '../../protocol/records/event.ts'

/** Told what the hub of the proxy whose step it is handles. */
let watch: ((event: SlotEvent) => void) | null = null

/** Sees every event that any hub of this thread is given, until it is set to null. */
export function watchHubs(handled: ((event: SlotEvent) => void) | null): void {
  watch = handled
}

const { handle } = Hub.prototype
Hub.prototype.handle = function (event, version) {
  watch?.(event)
  return handle.call(this, event, version)
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
