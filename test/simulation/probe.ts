import { Hub } from '../../proxy/hub.ts'
import type { SlotEvent } from '../../protocol/event-record.ts'

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
