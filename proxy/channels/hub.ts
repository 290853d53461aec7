import type { Env } from '../../cluster/env.ts'
import type { SubscribeResult } from '../../protocol/client/message.ts'
import { errors, unsubscribes } from '../../protocol/client/codes.ts'
import type { ClientError, CloseReason } from '../../protocol/client/codes.ts'
import type { SlotEvent } from '../../protocol/records/event.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { CatchUp } from './catch-up.ts'
import { isEmpty, keepLive, newChannel } from './channel.ts'
import type { Channel, Joining, SubscribeRequest } from './channel.ts'
import { FirstReads } from './first-reads.ts'
import { Missed, isNotThere } from './missed.ts'
import type { MissedPage } from './missed.ts'
import type { Output } from '../sessions/output.ts'
import type { ReadBudget } from '../uplink/read-budget.ts'
import { PositionCheck } from './position-check.ts'
import { decideRecovery, isAhead } from './recovery.ts'
import type { Session } from '../sessions/session.ts'
import type { Outcome, Uplink } from '../uplink/uplink.ts'

const nothing = Buffer.alloc(0)
const noHistory = { size: 0, ttlMs: 0 }

export interface HubOptions {
  replyDeadlineMs: number
  recoveryLimit: number
  /** Called when the subscription of a session ended without its asking. */
  dropped: (session: Session, channel: string) => void
}

/**
 * Which sessions have which channel, and what of it they get. Towards its slot a channel is closed, opening or open;
 * the first session opens it, the last one closes it, and the order of the log does the rest (delivery: subscribe,
 * recover, detect gaps).
 */
export class Hub {
  readonly #env: Env
  readonly #uplink: Uplink
  readonly #output: Output
  readonly #options: HubOptions
  readonly #channels = new Map<string, Channel>()
  /** Channels whose close is on its way: events that still come for them need no other one. */
  readonly #closing = new Map<string, number>()
  readonly #positions: PositionCheck
  readonly #firstReads: FirstReads
  readonly #catchUp: CatchUp

  constructor(env: Env, uplink: Uplink, output: Output, budget: ReadBudget, options: HubOptions) {
    this.#env = env
    this.#uplink = uplink
    this.#output = output
    this.#options = options
    this.#positions = new PositionCheck(env.clock, (slot, payload, settle) =>
      this.#send('tops', slot, '', payload, settle),
    )
    const missed = new Missed(uplink, budget)
    this.#firstReads = new FirstReads(missed, budget)
    this.#catchUp = new CatchUp(missed, output, budget, env.metrics, {
      recoveryLimit: options.recoveryLimit,
      failed: (channel, session) => this.#tooFarBehind(channel, session),
    })
  }

  /** The session must not have the channel yet. */
  subscribe(session: Session, name: string, request: SubscribeRequest): void {
    const channel = this.#channels.get(name) ?? this.#open(name)
    if (!channel) return request.done({ error: errors.tooManyRequests })
    const deadlineAt = this.#env.clock.monotonic() + this.#options.replyDeadlineMs
    const joining: Joining = { ...request, session, deadlineAt, live: null, hasCaughtUp: false }
    if (channel.opening === null) this.#admit(channel, joining)
    else channel.joining.set(session, joining)
  }

  leave(session: Session, name: string): void {
    const channel = this.#channels.get(name)
    if (!channel) return
    this.#output.settle(channel)
    channel.sessions.delete(session)
    this.#catchUp.remove(channel, session)
    const joining = channel.joining.get(session)
    channel.joining.delete(session)
    // A subscribe that is given up has its answer too: every id is answered once.
    joining?.done({ error: errors.internal })
    this.#closeIfEmpty(channel)
  }

  /** Publications, subscribed and tops, in the order of their positions. */
  handle(event: SlotEvent, version: string): void {
    switch (event.kind) {
      case 'publication':
        return this.#publication(event, version)
      case 'subscribed':
        return this.#subscribed(event)
      case 'tops':
        for (const [name, epoch, top] of event.tops) this.#checkTop(name, epoch, top, event.n)
        return
      case 'reply':
        return
    }
  }

  /** Everybody in this slot's channels is told that their position is insufficient. */
  resync(slot: SlotId): void {
    for (const channel of [...this.#channels.values()]) {
      if (channel.slot === slot) this.#insufficient(channel, unsubscribes.insufficient, 'resync')
    }
  }

  /** Too much waits for the session: the rest of the channel, from what `waits` on, it gets when there is room for it. */
  overflowed(session: Session, name: string, waits: number): void {
    const channel = this.#channels.get(name)
    if (channel) this.#catchUp.add(channel, session, channel.top - waits)
  }

  /** The subscription of a session has ended: it is told why. */
  end(session: Session, name: string, reason: CloseReason): void {
    this.leave(session, name)
    this.#output.send(session, { kind: 'unsubscribed', channel: name, reason })
  }

  /** Ends subscribes that got no answer in time, and tries again what could not be read. */
  expire(): void {
    this.#catchUp.sweep()
    this.#firstReads.sweep()
    const now = this.#env.clock.monotonic()
    for (const channel of [...this.#channels.values()]) {
      for (const joining of [...channel.joining.values()]) {
        if (joining.deadlineAt <= now) this.#fail(channel, joining, errors.internal)
      }
    }
  }

  /**
   * Asks every slot for the tops of its open channels: a lost event is found even where nobody speaks. Slots that owe
   * answers are asked too: what was lost on the way must not count as in flight for ever.
   */
  checkPositions(): void {
    const open = this.#channels.values().filter((channel) => channel.opening === null)
    const bySlot = Map.groupBy(open, (channel) => channel.slot)
    for (const slot of this.#uplink.overdueSlots()) bySlot.getOrInsert(slot, [])
    this.#positions.ask(bySlot)
  }

  #open(name: string): Channel | null {
    const slot = this.#uplink.slotOf(name)
    const opening = this.#send('subscribe', slot, name, nothing, (outcome) => {
      const channel = this.#channels.get(name)
      if (outcome.error === null || channel === undefined || channel.opening !== opening) return
      for (const joining of [...channel.joining.values()]) this.#fail(channel, joining, errors.internal)
    })
    if (opening === null) return null
    const channel = newChannel(name, slot, opening)
    this.#channels.set(name, channel)
    return channel
  }

  #closeIfEmpty(channel: Channel): void {
    if (!isEmpty(channel) || this.#channels.get(channel.name) !== channel) return
    this.#channels.delete(channel.name)
    const neverSent = channel.opening !== null && this.#uplink.cancel(channel.slot, channel.opening)
    if (!neverSent) this.#close(channel.name)
  }

  #close(name: string): void {
    const n = this.#send('close', this.#uplink.slotOf(name), name, nothing, () => {
      if (this.#closing.get(name) === n) this.#closing.delete(name)
    })
    if (n !== null) this.#closing.set(name, n)
  }

  /** Commands of the proxy itself. What tidies up must always get through; a subscribe waits its turn. */
  #send(
    method: 'subscribe' | 'close' | 'tops',
    slot: SlotId,
    channel: string,
    payload: Buffer,
    settle: (outcome: Outcome) => void,
  ): number | null {
    const n = this.#uplink.send({
      method,
      channel,
      slot,
      session: '',
      user: '',
      connInfo: null,
      history: noHistory,
      payload,
      isRead: false,
      isExempt: method !== 'subscribe',
      settle,
    })
    return typeof n === 'number' ? n : null
  }

  #publication(event: SlotEvent & { kind: 'publication' }, version: string): void {
    const channel = this.#channels.get(event.channel)
    if (!channel) {
      this.#env.metrics.eventsDropped.inc({ reason: 'channel_closed' })
      if (!this.#closing.has(event.channel)) this.#close(event.channel)
      return
    }
    if (channel.opening !== null) return
    if (event.epoch !== channel.epoch) return this.#insufficient(channel, unsubscribes.invalidated, 'epoch')
    if (event.top <= channel.top) return
    if (event.top !== channel.top + 1) return this.#insufficient(channel, unsubscribes.insufficient, 'gap')
    channel.top = event.top
    const publication = event.body.toString()
    const bytes = event.body.length
    if (channel.sessions.size > 0)
      this.#output.publish(channel, { kind: 'publication', channel: channel.name, publication }, bytes)
    for (const joining of channel.joining.values()) keepLive(joining, publication, bytes)
    for (const behind of channel.behind.values()) keepLive(behind, publication, bytes)
    this.#env.metrics.deliveries.inc(channel.sessions.size)
    const { clock, metrics } = this.#env
    this.#output.whenWritten(() => {
      // Another machine's clock, or this one's before it was set, may be ahead.
      const delayMs = Math.max(0, clock.now() - event.time)
      metrics.fanOutDelay.observe({ destination_version: version }, delayMs / 1000)
    })
  }

  #subscribed(event: SlotEvent & { kind: 'subscribed' }): void {
    const channel = this.#channels.get(event.channel)
    if (!channel) {
      if (!this.#closing.has(event.channel)) this.#close(event.channel)
      return
    }
    // One that was asked for before the last close is not the one that opens it.
    if (channel.opening !== event.n) return
    channel.opening = null
    channel.openedAt = this.#env.clock.monotonic()
    channel.epoch = event.epoch
    channel.top = event.top
    // They stay where they are until admitted: one that fails must not leave the channel looking empty.
    for (const each of [...channel.joining.values()]) this.#admit(channel, each)
  }

  /** Joins a session to an open channel at its present top. */
  #admit(channel: Channel, joining: Joining): void {
    const decision = decideRecovery(joining.recover, channel)
    switch (decision) {
      case 'fresh':
      case 'level':
        this.#output.settle(channel)
        channel.sessions.add(joining.session)
        return this.#joined(channel, joining, { offset: channel.top, recovered: decision === 'level' }, [])
      case 'behind':
        return this.#recover(channel, joining, joining.recover!.offset)
      case 'lost':
        if (!joining.hasCaughtUp && isAhead(joining.recover!, channel)) return this.#askAhead(channel, joining)
        return this.#lost(channel, joining)
    }
  }

  /**
   * The client saw more than this proxy has: that is still on its way here, or was taken out of a full lane, or the
   * position is one of a stream that is no more. The slot has the last message that the client saw, or has not.
   */
  #askAhead(channel: Channel, joining: Joining): void {
    const { offset } = joining.recover!
    this.#ask(channel, joining, { after: offset - 1, upTo: offset }, (page) => {
      const isRefused = 'error' in page && isNotThere(page.error)
      // It exists and is not here yet: the client asks again, and recovers then.
      if (!isRefused && ('error' in page || channel.top < offset)) return this.#fail(channel, joining, errors.internal)
      joining.hasCaughtUp = true
      this.#admit(channel, joining)
    })
  }

  #lost(channel: Channel, joining: Joining): void {
    if (joining.rejectUnrecovered) return this.#fail(channel, joining, errors.unrecoverablePosition)
    this.#output.settle(channel)
    channel.sessions.add(joining.session)
    this.#joined(channel, joining, { offset: channel.top, recovered: false }, [])
  }

  /** The session is subscribed, and has the channel up to what is given here. */
  #joined(
    channel: Channel,
    joining: Joining,
    at: { offset: number; recovered: boolean },
    publications: string[],
  ): void {
    channel.joining.delete(joining.session)
    const result: SubscribeResult = {}
    if (joining.isRecoverable) result.recoverable = true
    if (joining.isPositioned) result.positioned = true
    if (joining.isRecoverable || joining.isPositioned) {
      result.epoch = channel.epoch
      result.offset = at.offset
    }
    if (joining.wasRecovering) result.was_recovering = true
    if (joining.recover && at.recovered) result.recovered = true
    joining.done({ result, publications })
  }

  /**
   * Finds out whether all that was missed up to the present top can be had, and answers: with the first of it when
   * there is room for that. The rest follows like anything that is published, as the connection takes it: a client that
   * waits long for the answer to a subscribe gives up, and would get nowhere.
   */
  #recover(channel: Channel, joining: Joining, after: number): void {
    const upTo = channel.top
    joining.live = { publications: [], bytes: 0 }
    this.#ask(channel, joining, { after, upTo }, (page) => {
      // Recovery starts anew at the top of now: what was kept is below it.
      if ('error' in page && isNotThere(page.error)) return this.#lost(channel, joining)
      if ('error' in page) return this.#fail(channel, joining, errors.internal)
      const { session, live } = joining
      const first = this.#output.hasRoom(session) ? page.publications : []
      const at = after + first.length
      this.#joined(channel, joining, { offset: after, recovered: true }, first)
      if (at < upTo || live === null) return this.#catchUp.add(channel, session, at)
      this.#output.settle(channel)
      for (const publication of live.publications)
        this.#output.send(session, { kind: 'publication', channel: channel.name, publication })
      channel.sessions.add(session)
    })
  }

  /** Reads a range of the channel at its slot for a session that joins. */
  #ask(
    channel: Channel,
    joining: Joining,
    range: { after: number; upTo: number },
    settle: (page: MissedPage) => void,
  ): void {
    const { session, history } = joining
    channel.joining.set(session, joining)
    const limit = this.#options.recoveryLimit
    this.#firstReads.add(
      channel,
      session,
      { ...range, history, limit },
      {
        isWanted: () => channel.joining.get(session) === joining,
        settle,
        refused: (error) => this.#fail(channel, joining, error),
      },
    )
  }

  #fail(channel: Channel, joining: Joining, error: ClientError): void {
    channel.joining.delete(joining.session)
    this.#options.dropped(joining.session, channel.name)
    joining.done({ error })
    this.#closeIfEmpty(channel)
  }

  #checkTop(name: string, epoch: string, top: number, n: number): void {
    const channel = this.#channels.get(name)
    if (!channel || channel.opening !== null) return
    // One that opened since then is compared the next time.
    if (channel.openedAt > this.#positions.askedAt(channel.slot, n)) return
    if (channel.epoch !== epoch) this.#insufficient(channel, unsubscribes.invalidated, 'epoch')
    else if (channel.top !== top) this.#insufficient(channel, unsubscribes.insufficient, 'top')
  }

  /** The sessions of a channel must recover, or start anew; the channel starts anew with them. */
  #insufficient(channel: Channel, reason: CloseReason, why: string): void {
    this.#env.metrics.insufficient.inc({ reason: why })
    this.#env.logger.warn({ slot: channel.slot, why }, 'position insufficient, subscribers recover')
    this.#output.settle(channel)
    const sessions = [...channel.sessions, ...channel.behind.keys()]
    const joining = [...channel.joining.values()]
    channel.sessions.clear()
    channel.joining.clear()
    for (const session of sessions) {
      this.#catchUp.remove(channel, session)
      this.#unsubscribe(channel, session, reason)
    }
    for (const each of joining) {
      this.#options.dropped(each.session, channel.name)
      each.done({ error: errors.internal })
    }
    this.#closeIfEmpty(channel)
  }

  /** Its connection takes less than the channel has to say: the client recovers what it may, or starts anew. */
  #tooFarBehind(channel: Channel, session: Session): void {
    this.#env.metrics.insufficient.inc({ reason: 'behind' })
    this.#unsubscribe(channel, session, unsubscribes.insufficient)
    this.#closeIfEmpty(channel)
  }

  #unsubscribe(channel: Channel, session: Session, reason: CloseReason): void {
    this.#options.dropped(session, channel.name)
    this.#output.send(session, { kind: 'unsubscribed', channel: channel.name, reason })
  }
}
