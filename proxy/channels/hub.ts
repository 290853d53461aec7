import type { Env } from '../../cluster/env.ts'
import { errors, unsubscribes } from '../../protocol/client/codes.ts'
import type { ClientError, CloseReason } from '../../protocol/client/codes.ts'
import type { SubscribeResult } from '../../protocol/client/message.ts'
import type { SlotEvent, Top } from '../../protocol/records/event.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Output } from '../sessions/output.ts'
import type { ReadBudget } from '../sessions/read-budget.ts'
import type { Session } from '../sessions/session.ts'
import { Tally } from '../sessions/tally.ts'
import type { Outcome } from '../uplink/request.ts'
import type { Uplink } from '../uplink/uplink.ts'
import type { Work } from '../uplink/work.ts'
import { CatchUp } from './catch-up.ts'
import { isEmpty, newChannel } from './channel.ts'
import type { Channel, Joining, SubscribeRequest } from './channel.ts'
import { FirstReads } from './first-reads.ts'
import { Interest } from './interest.ts'
import { compared, expired, fail, join, leave, opened, published, readFirst, startAnew, unopened } from './machine.ts'
import type { Insufficiency, Step, Steps } from './machine.ts'
import { Missed } from './missed.ts'
import type { MissedPage, Reader } from './missed.ts'

/** How much may be recovered, in which time (ms), and who is told what became of a subscribe and a subscription. */
export interface HubOptions {
  replyDeadlineMs: number
  recoveryLimit: number
  /** A session is subscribed. */
  joined: (channel: string, joining: Joining, result: SubscribeResult, publications: string[]) => void
  /** A subscribe came to nothing. */
  failed: (channel: string, joining: Joining, error: ClientError) => void
  /** The subscription of a session ended without its asking. */
  dropped: (session: Session, channel: string) => void
}

/**
 * Which sessions have which channel. Towards its slot a channel is closed, opening or open; the first session opens it,
 * the last one closes it, and the order of the log does the rest (delivery: subscribe, recover, detect gaps). What a
 * channel makes of what happens to it is in machine.ts; here it is done.
 */
export class Hub {
  /** What came of a version's events did not go on from what was there, by that version. */
  readonly violations = new Tally()
  readonly #env: Env
  readonly #uplink: Uplink
  readonly #output: Output
  readonly #options: HubOptions
  readonly #channels = new Map<string, Channel>()
  readonly #interest: Interest
  readonly #missed: Missed
  readonly #firstReads: FirstReads
  readonly #catchUp: CatchUp

  constructor(env: Env, uplink: Uplink, output: Output, budget: ReadBudget, options: HubOptions) {
    const { recoveryLimit } = options
    this.#env = env
    this.#uplink = uplink
    this.#output = output
    this.#options = options
    this.#interest = new Interest(env.clock, uplink)
    this.#missed = new Missed(uplink, budget)
    this.#firstReads = new FirstReads(this.#missed, budget, {
      recoveryLimit,
      isWanted: (session, { channel, ...turn }) => this.#reading(channel, session, turn) !== undefined,
      refused: (session, { channel, ...turn }, error) => {
        const found = this.#reading(channel, session, turn)!
        this.#run(found.channel, fail(found.channel, found.joining, error))
      },
    })
    this.#catchUp = new CatchUp(this.#missed, output, budget, env.metrics, {
      recoveryLimit,
      failed: (channel, session) => this.#tooFarBehind(channel, session),
    })
  }

  /** The session must not have the channel yet. */
  subscribe(session: Session, name: string, request: SubscribeRequest): void {
    const startedAt = this.#env.clock.monotonic()
    const deadlineAt = startedAt + this.#options.replyDeadlineMs
    const joining: Joining = { ...request, session, startedAt, deadlineAt, live: null, read: null, hasCaughtUp: false }
    const channel = this.#channels.get(name) ?? this.#open(name)
    if (channel) this.#run(channel, join(channel, joining))
    else this.#options.failed(name, joining, errors.tooManyRequests)
  }

  /** Whether the session has the channel, joins it or is behind in it; with the last one the channel is closed. */
  leave(session: Session, name: string): void {
    const channel = this.#channels.get(name)
    if (!channel) return
    this.#catchUp.remove(channel, session)
    this.#run(channel, leave(channel, session))
  }

  /** The subscription of a session has ended: it is told why. */
  end(session: Session, name: string, reason: CloseReason): void {
    this.leave(session, name)
    this.#output.send(session, { kind: 'unsubscribed', channel: name, reason })
  }

  /** A slot that thinks that somebody has the channel here is told once more that it is closed. */
  publication(event: SlotEvent & { kind: 'publication' }, version: string): void {
    const channel = this.#channels.get(event.channel)
    if (!channel) {
      this.#env.metrics.eventsDropped.inc({ reason: 'channel_closed' })
      return this.#interest.closeAgain(event.channel)
    }
    const before = channel.top
    this.#run(channel, published(channel, event), version)
    if (channel.top !== before) this.#measure(event.time, version, channel.sessions.size)
  }

  /** The slot has this instance down for the channel. */
  subscribed(event: SlotEvent & { kind: 'subscribed' }): void {
    const channel = this.#channels.get(event.channel)
    if (channel) this.#run(channel, opened(channel, event, this.#env.clock.monotonic()))
    else this.#interest.closeAgain(event.channel)
  }

  /** Where a slot says that channels are; asked at this monotonic time. */
  tops(tops: Top[], askedAt: number, version: string): void {
    for (const [name, epoch, top] of tops) {
      const channel = this.#channels.get(name)
      if (channel) this.#run(channel, compared(channel, { epoch, top }, askedAt), version)
    }
  }

  /** Everybody in this slot's channels is told that their position is insufficient. */
  resync(slot: SlotId): void {
    for (const channel of [...this.#channels.values()])
      if (channel.slot === slot) this.#run(channel, startAnew(channel, unsubscribes.insufficient, 'resync'))
  }

  /** What a command that the hub sent has come to; `n` is its number. */
  settled(work: Exclude<Work, { for: 'client' }>, n: number, outcome: Outcome): void {
    switch (work.for) {
      case 'open': {
        const channel = this.#channels.get(work.channel)
        if (channel && outcome.error !== null) this.#run(channel, unopened(channel, n))
        return
      }
      case 'close':
        return this.#interest.closed(work.channel, n)
      case 'tops':
        return this.#interest.answeredTops(work.slot)
      case 'missed': {
        const { readers, page } = this.#missed.answered(work.key, outcome)
        for (const reader of readers) this.#page(reader, page)
        return
      }
    }
  }

  /** Too much waits for the session: the rest of the channel, from what `waits` on, it gets when there is room for it. */
  overflowed(session: Session, name: string, waits: number): void {
    const channel = this.#channels.get(name)
    if (channel) this.#catchUp.add(channel, session, channel.top - waits)
  }

  /** The connection of the session takes more. */
  roomFor(session: Session): void {
    this.#catchUp.roomFor(session)
  }

  /** Ends subscribes that got no answer in time, and tries again what could not be read. */
  expire(): void {
    this.#catchUp.sweep()
    this.#firstReads.sweep()
    const now = this.#env.clock.monotonic()
    for (const channel of [...this.#channels.values()]) this.#run(channel, expired(channel, now))
  }

  /** Compares where open channels are with what their slots say. */
  checkPositions(): void {
    this.#interest.askTops(this.#channels.values().filter((channel) => channel.opening === null))
  }

  /**
   * Does what a rule says, step by step; a channel that nobody has afterwards is closed. `version` is that of the worker
   * whose event it is, if it is one's.
   */
  #run(channel: Channel, steps: Steps, version: string | null = null): void {
    for (const step of steps) {
      if (step.do === 'report' && version !== null) this.violations.inc(version)
      this.#do(channel, step)
    }
    this.#closeIfEmpty(channel)
  }

  #closeIfEmpty(channel: Channel): void {
    if (!isEmpty(channel) || this.#channels.get(channel.name) !== channel) return
    this.#channels.delete(channel.name)
    this.#interest.close(channel)
  }

  #do(channel: Channel, step: Step): void {
    const { name } = channel
    switch (step.do) {
      case 'settle':
        return this.#output.settle(channel)
      case 'publish': {
        const { publication, bytes } = step
        return this.#output.publish(channel, { kind: 'publication', channel: name, publication }, bytes)
      }
      case 'joined':
        return this.#options.joined(name, step.joining, step.result, step.publications)
      case 'failed':
        return this.#options.failed(name, step.joining, step.error)
      case 'read': {
        const { after, upTo } = step.read
        return this.#firstReads.add(step.joining.session, { channel: name, after, upTo, history: step.joining.history })
      }
      case 'send':
        for (const publication of step.publications)
          this.#output.send(step.session, { kind: 'publication', channel: name, publication })
        return
      case 'let behind':
        return this.#catchUp.add(channel, step.session, step.at)
      case 'unsubscribe':
        this.#catchUp.remove(channel, step.session)
        return this.#unsubscribe(channel, step.session, step.reason)
      case 'report':
        return this.#report(channel, step.why)
    }
  }

  #report({ slot }: Channel, why: Insufficiency): void {
    this.#env.metrics.insufficient.inc({ reason: why })
    this.#env.logger.warn({ slot, why }, 'position insufficient, subscribers recover')
  }

  /** The session that joins a channel and still reads this range for it. */
  #reading(
    name: string,
    session: Session,
    { after, upTo }: { after: number; upTo: number },
  ): { channel: Channel; joining: Joining } | undefined {
    const channel = this.#channels.get(name)
    const joining = channel?.joining.get(session)
    const isReading = joining?.read?.after === after && joining.read.upTo === upTo
    return isReading ? { channel: channel!, joining } : undefined
  }

  #page(reader: Reader, page: MissedPage): void {
    const { session } = reader
    if (reader.for === 'joining') {
      const found = this.#reading(reader.channel, session, reader)
      if (found) this.#run(found.channel, readFirst(found.channel, found.joining, this.#roomy(session, page)))
      return this.#firstReads.ended(session)
    }
    const channel = this.#channels.get(reader.channel)
    if (channel) this.#catchUp.page(channel, reader, page)
  }

  /** A page as the answer to a subscribe can carry it: without what its connection has no room for. */
  #roomy(session: Session, page: MissedPage): MissedPage {
    return 'error' in page || this.#output.hasRoom(session) ? page : { publications: [] }
  }

  #open(name: string): Channel | null {
    const slot = this.#uplink.slotOf(name)
    const opening = this.#interest.open(slot, name)
    if (opening === null) return null
    const channel = newChannel(name, slot, opening)
    this.#channels.set(name, channel)
    return channel
  }

  #measure(time: number, version: string, sessions: number): void {
    const { clock, metrics } = this.#env
    metrics.deliveries.inc(sessions)
    this.#output.whenWritten(() => {
      // Another machine's clock, or this one's before it was set, may be ahead.
      const delayMs = Math.max(0, clock.now() - time)
      metrics.fanOutDelay.observe({ destination_version: version }, delayMs / 1000)
    })
  }

  /** Its connection takes less than the channel has to say: the client recovers what it may, or starts anew. */
  #tooFarBehind(channel: Channel, session: Session): void {
    this.#env.metrics.insufficient.inc({ reason: 'behind' })
    this.#unsubscribe(channel, session, unsubscribes.insufficient)
    this.#closeIfEmpty(channel)
  }

  #unsubscribe({ name }: Channel, session: Session, reason: CloseReason): void {
    this.#options.dropped(session, name)
    this.#output.send(session, { kind: 'unsubscribed', channel: name, reason })
  }
}
