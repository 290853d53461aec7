import { encodeParts } from '../../protocol/records/event-part.ts'
import type { EventBatch } from '../../protocol/records/event.ts'

/** The events of a batch, of which there is one at least, as one record, however large it is. */
export function encodeEvents(batch: EventBatch): Buffer {
  return encodeParts(batch, batch.events, Infinity)[0]!.value
}
