import { emptyPayload } from '../protocol/records/envelope.ts'
import type { SlotEvent } from '../protocol/records/event.ts'
import type { SlotId } from '../protocol/slot.ts'
import type { Hub } from './channels/hub.ts'
import type { Outcome } from './uplink/request.ts'
import type { Uplink } from './uplink/uplink.ts'

/**
 * Where every event of a slot goes, and in which order: the command that it answers is over first, with what was lost
 * before it, and whoever waits for it hears so; then it is the channels' turn. Events come here once and in the order of
 * their positions (inbox.ts).
 */
export class Dispatcher {
  readonly #uplink: Uplink
  readonly #hub: Hub

  constructor(uplink: Uplink, hub: Hub) {
    this.#uplink = uplink
    this.#hub = hub
  }

  /** `version` is that of the worker that the event comes from. */
  dispatch(slot: SlotId, event: SlotEvent, version: string): void {
    const done: Outcome = { error: null, body: emptyPayload, version }
    switch (event.kind) {
      case 'publication':
        return this.#hub.publication(event, version)
      case 'subscribed':
        this.#uplink.answer(slot, event.n, done)
        return this.#hub.subscribed(event)
      case 'tops': {
        const work = this.#uplink.answer(slot, event.n, done)
        if (work?.for === 'tops') this.#hub.tops(event.tops, work.askedAt, version)
        return
      }
      case 'reply':
        this.#uplink.answer(slot, event.n, { error: event.error, body: event.body, version })
        return
    }
  }

  /** The slot could not tell this instance everything: what was sent is lost, and every channel of it starts anew. */
  resync(slot: SlotId): void {
    this.#uplink.resync(slot)
    this.#hub.resync(slot)
  }
}
