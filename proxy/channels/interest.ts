import type { Clock } from '../../platform/clock.ts'
import { ofNobody } from '../../protocol/records/command.ts'
import { encodeRequest } from '../../protocol/records/runtime.ts'
import type { RuntimeRequest } from '../../protocol/records/runtime.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Uplink } from '../uplink/uplink.ts'
import type { Work } from '../uplink/work.ts'
import type { Channel } from './channel.ts'
import { PositionCheck } from './position-check.ts'

/** What slots are told of the channels that this instance has: that it opens or closes them; and what they are asked. */
export class Interest {
  readonly #uplink: Uplink
  readonly #positions: PositionCheck
  /** Channels whose close is on its way: events that still come for them need no other one. */
  readonly #closing = new Map<string, number>()

  constructor(clock: Clock, uplink: Uplink) {
    this.#uplink = uplink
    this.#positions = new PositionCheck(clock, (slot, channels, askedAt) => {
      const request = { method: 'tops' as const, channels }
      return this.#ask(slot, '', request, { for: 'tops', slot, askedAt }) !== null
    })
  }

  /** Opens a channel. Returns the number of the command, null when too much is in flight. */
  open(slot: SlotId, name: string): number | null {
    return this.#ask(slot, name, { method: 'subscribe' }, { for: 'open', channel: name })
  }

  /** Closes a channel; where its opening has not been sent that is taken back. */
  close({ name, slot, opening }: Channel): void {
    const neverSent = opening !== null && this.#uplink.cancel(slot, opening)
    if (!neverSent) this.#sendClose(name)
  }

  /** An event came for a channel that nobody has. */
  closeAgain(name: string): void {
    if (!this.#closing.has(name)) this.#sendClose(name)
  }

  /** The close of that number is over. */
  closed(name: string, n: number): void {
    if (this.#closing.get(name) === n) this.#closing.delete(name)
  }

  /**
   * Asks every slot for the tops of these channels: a lost event is found even where nobody speaks. Slots that owe answers
   * are asked too: what was lost on the way must not count as in flight for ever.
   */
  askTops(open: Iterable<Channel>): void {
    const bySlot = Map.groupBy(open, (channel) => channel.slot)
    for (const slot of this.#uplink.overdueSlots()) bySlot.getOrInsert(slot, [])
    this.#positions.ask(bySlot)
  }

  /** A slot has answered where its channels are, or its answer is lost. */
  answeredTops(slot: SlotId): void {
    this.#positions.ended(slot)
  }

  #sendClose(name: string): void {
    const n = this.#ask(this.#uplink.slotOf(name), name, { method: 'close' }, { for: 'close', channel: name })
    if (n !== null) this.#closing.set(name, n)
  }

  /** Asks a slot itself. What tidies up must always get through; a subscribe waits its turn. */
  #ask(slot: SlotId, channel: string, request: RuntimeRequest, work: Work): number | null {
    const { method } = request
    const n = this.#uplink.send({
      ...ofNobody,
      method,
      channel,
      slot,
      payload: encodeRequest(request),
      isRead: false,
      isExempt: method !== 'subscribe',
      work,
    })
    return typeof n === 'number' ? n : null
  }
}
