import type { Env } from '../platform/env.ts'
import { publicationText, subscribeText, unsubscribeText } from '../protocol/client-frame.ts'
import type { SubscribeResult } from '../protocol/client-frame.ts'
import { errors, unsubscribes } from '../protocol/codes.ts'
import type { ClientError, CloseReason } from '../protocol/codes.ts'
import type { RecoverFrom } from '../protocol/client-command.ts'
import type { SlotEvent } from '../protocol/event-record.ts'
import type { SlotId } from '../store/store.ts'
import type { Audience, Output } from './output.ts'
import { PositionCheck } from './position-check.ts'
import { decideRecovery, isAhead } from './recovery.ts'
import type { Session } from './session.ts'
import type { Outcome, Uplink } from './uplink.ts'

/** Publications that one session may miss while its recovery is under way, by count; beyond it tries again. */
export const recoveryBufferMax = 1_000

const nothing = Buffer.alloc(0)
const noHistory = { size: 0, ttlMs: 0 }

export interface SubscribeRequest {
  recover: RecoverFrom | null
  rejectUnrecovered: boolean
  isRecoverable: boolean
  isPositioned: boolean
  history: { size: number; ttlMs: number }
  /** Called once: with the reply's message, or with the error that ends the subscription. */
  done: (outcome: { text: (id: number) => string } | { error: ClientError }) => void
}

interface Joining extends SubscribeRequest {
  session: Session
  /** Monotonic ms. */
  deadlineAt: number
  /** Publications above the top at which the session joined, once that is known. */
  buffer: string[] | null
  /** The slot was asked because the client was ahead of this proxy. */
  hasCaughtUp: boolean
}

interface Channel extends Audience {
  name: string
  slot: SlotId
  /** Number of the subscribe that opens it. */
  opening: number | null
  /** Monotonic ms when it opened. */
  openedAt: number
  epoch: string
  top: number
  sessions: Set<Session>
  joining: Map<Session, Joining>
  /** Reads under way, by their range, and who waits for them. */
  reads: Map<string, ((outcome: Outcome) => void)[]>
}

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

  constructor(env: Env, uplink: Uplink, output: Output, options: HubOptions) {
    this.#env = env
    this.#uplink = uplink
    this.#output = output
    this.#options = options
    this.#positions = new PositionCheck(env.clock, (slot, payload, settle) =>
      this.#send('tops', slot, '', payload, settle),
    )
  }

  /** The session must not have the channel yet. */
  subscribe(session: Session, name: string, request: SubscribeRequest): void {
    const channel = this.#channels.get(name) ?? this.#open(name)
    if (!channel) return request.done({ error: errors.tooManyRequests })
    const deadlineAt = this.#env.clock.monotonic() + this.#options.replyDeadlineMs
    const joining: Joining = { ...request, session, deadlineAt, buffer: null, hasCaughtUp: false }
    if (channel.opening === null) this.#admit(channel, joining)
    else channel.joining.set(session, joining)
  }

  leave(session: Session, name: string): void {
    const channel = this.#channels.get(name)
    if (!channel) return
    this.#output.settle(channel)
    channel.sessions.delete(session)
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

  /** Ends subscribes that got no answer in time. */
  expire(): void {
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
    const channel: Channel = {
      name,
      slot,
      opening,
      openedAt: 0,
      epoch: '',
      top: 0,
      sessions: new Set(),
      joining: new Map(),
      reads: new Map(),
      pieces: [],
    }
    this.#channels.set(name, channel)
    return channel
  }

  #closeIfEmpty(channel: Channel): void {
    if (channel.sessions.size > 0 || channel.joining.size > 0) return
    if (this.#channels.get(channel.name) !== channel) return
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
    const text = publicationText(channel.name, event.body.toString())
    if (channel.sessions.size > 0) this.#output.publish(channel, text)
    for (const joining of channel.joining.values()) this.#buffer(channel, joining, text)
    this.#env.metrics.deliveries.inc(channel.sessions.size)
    const { clock, metrics } = this.#env
    this.#output.whenWritten(() =>
      metrics.fanOutDelay.observe({ destination_version: version }, (clock.now() - event.time) / 1000),
    )
  }

  #buffer(channel: Channel, joining: Joining, text: string): void {
    if (joining.buffer === null) return
    if (joining.buffer.push(text) > recoveryBufferMax) this.#fail(channel, joining, errors.internal)
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
        return this.#join(channel, joining, { offset: channel.top, recovered: decision === 'level' }, '')
      case 'behind':
        return this.#recover(channel, joining, joining.recover!.offset)
      case 'lost':
        if (!joining.hasCaughtUp && isAhead(joining.recover!, channel)) return this.#catchUp(channel, joining)
        return this.#lost(channel, joining)
    }
  }

  /**
   * The client saw more than this proxy has: that is still on its way here, or was taken out of a full lane, or the
   * position is one of a stream that is no more. The slot has the last message that the client saw, or has not.
   */
  #catchUp(channel: Channel, joining: Joining): void {
    const { offset } = joining.recover!
    this.#ask(channel, joining, { after: offset - 1, upTo: offset }, ({ error }) => {
      if (channel.joining.get(joining.session) !== joining) return
      const isRefused = error?.code === errors.unrecoverablePosition.code
      // It exists and is not here yet: the client asks again, and recovers then.
      if (!isRefused && (error || channel.top < offset)) return this.#fail(channel, joining, errors.internal)
      joining.hasCaughtUp = true
      this.#admit(channel, joining)
    })
  }

  #lost(channel: Channel, joining: Joining): void {
    if (joining.rejectUnrecovered) this.#fail(channel, joining, errors.unrecoverablePosition)
    else this.#join(channel, joining, { offset: channel.top, recovered: false }, '')
  }

  #join(channel: Channel, joining: Joining, at: { offset: number; recovered: boolean }, publications: string): void {
    this.#output.settle(channel)
    channel.joining.delete(joining.session)
    channel.sessions.add(joining.session)
    const result: SubscribeResult = {}
    if (joining.isRecoverable) result.recoverable = true
    if (joining.isPositioned) result.positioned = true
    if (joining.isRecoverable || joining.isPositioned) {
      result.epoch = channel.epoch
      result.offset = at.offset
    }
    if (joining.recover) {
      result.was_recovering = true
      if (at.recovered) result.recovered = true
    }
    joining.done({ text: (id) => subscribeText(id, result, publications) })
  }

  /** Reads what was missed up to the present top, and keeps what is published meanwhile. */
  #recover(channel: Channel, joining: Joining, after: number): void {
    this.#output.settle(channel)
    joining.buffer = []
    this.#ask(channel, joining, { after, upTo: channel.top }, (outcome) =>
      this.#recovered(channel, joining, after, outcome),
    )
  }

  /**
   * Reads a range of the channel at its slot; the session joins once `settle` says so. Sessions that come back together
   * have mostly missed the same: one read serves them all, and ends for them all at the deadline of the first.
   */
  #ask(
    channel: Channel,
    joining: Joining,
    range: { after: number; upTo: number },
    settle: (outcome: Outcome) => void,
  ): void {
    channel.joining.set(joining.session, joining)
    const key = `${range.after}-${range.upTo}`
    const waiting = channel.reads.get(key)
    if (waiting) return void waiting.push(settle)
    const settles = [settle]
    const n = this.#uplink.send({
      method: 'recover',
      channel: channel.name,
      session: joining.session.id,
      user: joining.session.user,
      connInfo: null,
      history: joining.history,
      payload: Buffer.from(JSON.stringify({ ...range, limit: this.#options.recoveryLimit })),
      isRead: true,
      isExempt: false,
      settle: (outcome) => {
        channel.reads.delete(key)
        for (const each of settles) each(outcome)
      },
    })
    if (typeof n !== 'number') this.#fail(channel, joining, n)
    else channel.reads.set(key, settles)
  }

  #recovered(channel: Channel, joining: Joining, after: number, outcome: Outcome): void {
    if (channel.joining.get(joining.session) !== joining || joining.buffer === null) return
    const code = outcome.error?.code
    if (code === errors.unrecoverablePosition.code || code === errors.limitExceeded.code) {
      // Recovery starts anew at the top of now: what was buffered is below it.
      return this.#lost(channel, joining)
    }
    if (outcome.error) return this.#fail(channel, joining, errors.internal)
    const buffered = joining.buffer
    this.#join(channel, joining, { offset: after, recovered: true }, outcome.body.toString())
    for (const text of buffered) this.#output.send(joining.session, text)
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
    const sessions = [...channel.sessions]
    const joining = [...channel.joining.values()]
    channel.sessions.clear()
    channel.joining.clear()
    for (const session of sessions) {
      this.#options.dropped(session, channel.name)
      this.#output.send(session, unsubscribeText(channel.name, reason))
    }
    for (const each of joining) {
      this.#options.dropped(each.session, channel.name)
      each.done({ error: errors.internal })
    }
    this.#closeIfEmpty(channel)
  }
}
