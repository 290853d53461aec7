import type { Env } from '../../cluster/env.ts'
import { laneReports } from '../../cluster/lane-metrics.ts'
import { AppendLane } from '../../log/append-lane.ts'
import type { LaneItem } from '../../log/append-lane.ts'
import { recordBytes } from '../../log/rules.ts'
import type { Timer } from '../../platform/clock.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { ClientError, CommandError } from '../../protocol/client/codes.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { AnswerParts } from '../../protocol/records/answer-parts.ts'
import type { AnswerRecord } from '../../protocol/records/answer.ts'
import { encodeCommand } from '../../protocol/records/command.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import { emptyPayload } from '../../protocol/records/envelope.ts'
import { commandBytesMax } from '../../protocol/records/sizes.ts'
import { commandTopic, defaultGroup } from '../../protocol/records/topics.ts'
import { parseSlot, slotId } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { InFlight, commandOverheadBytes } from './in-flight.ts'
import type { InFlightLimits } from './in-flight.ts'
import type { ClientWork, Work } from './work.ts'

/** What a command came to. `version` is that of the worker that handled it, '' when none did. */
export interface Outcome {
  error: CommandError | null
  body: Buffer
  version: string
}

/** A command as it is handed in: the uplink adds number, time and seed. */
export interface Request {
  method: string
  /** Empty when `slot` is named and the command concerns all of it. */
  channel: string
  slot?: SlotId
  session: string
  user: string
  connInfo: string | null
  history: { size: number; ttlMs: number }
  payload: Buffer
  /** Reads have no effect: they are sent again until their deadline. */
  isRead: boolean
  /** Not counted and without a deadline: what tidies up must always get through. */
  isExempt: boolean
  /** Handed back with the outcome. */
  work: Work
}

/** A command for which a client waits. */
export type ClientRequest = Request & { work: ClientWork }

interface Pending extends Request {
  slotId: SlotId
  /** Numbers under which it went into the log; reads may have several. */
  numbers: number[]
  sent: boolean
  settled: boolean
  /** What it counts for while it is in flight. */
  bytes: number
  deadlineAt: number
  retryAt: number
  /** Time to the try after that. */
  retryMs: number
  /** What came of its answer. */
  answer: AnswerParts | null
}

interface SlotUplink {
  lane: AppendLane<LaneItem & { pending: Pending }>
  nextNumber: number
  byNumber: Map<number, Pending>
}

/** Who numbers, into how many slots, within which bounds, and who hears what came of it. Times are ms. */
export interface UplinkOptions {
  instance: string
  producer: string
  slots: number
  inFlight: InFlightLimits
  replyDeadlineMs: number
  /** What came of a command, once for each that is not taken back. `n` is the first number that it went under. */
  settled: (work: Work, n: number, outcome: Outcome) => void
}

/** A read without an answer is asked again after this time, then after twice as long, and so on: it may only be late. */
export const readRetryMs = 1_000
/** How often deadlines are looked at. */
export const deadlineSweepMs = 100
/** What is left of a command that its client has an answer for already: its number, to know its event by. */
const answeredBytes = 200

/**
 * The way of commands into the log: per slot one append outstanding and numbers that rise, in-flight limits,
 * deadlines, and who waits for which answer (delivery: into the log).
 */
export class Uplink {
  readonly #env: Env
  readonly #options: UplinkOptions
  readonly #slots = new Map<SlotId, SlotUplink>()
  readonly #inFlight: InFlight
  readonly #reads = new Set<Pending>()
  /** Runs while anything waits for an answer. */
  #timer: Timer | null = null
  #isStopped = false

  constructor(env: Env, options: UplinkOptions) {
    this.#env = env
    this.#options = options
    this.#inFlight = new InFlight(options.inFlight)
  }

  /** A channel's slot, for good: the partitioner and the number of slots never change. */
  slotOf(channel: string): SlotId {
    return slotId(defaultGroup, partitionOf(channel, this.#options.slots))
  }

  /**
   * Sends a command; what comes of it is told once unless the command is taken back. Returns its number, or the error
   * with which it is refused: what is too large for the log, or more than may be in flight, is not sent.
   */
  send(request: Request): number | ClientError {
    const slot = request.slot ?? this.slotOf(request.channel)
    const uplink = this.#slots.get(slot) ?? this.#open(slot)
    const record = this.#encode(uplink, request)
    const bytes = record.key.length + record.value.length + commandOverheadBytes
    if (recordBytes(record) > commandBytesMax) return errors.limitExceeded
    if (!request.isExempt && !this.#inFlight.fits(slot, request.channel, bytes)) return errors.tooManyRequests
    const now = this.#env.clock.monotonic()
    const pending: Pending = {
      ...request,
      slotId: slot,
      numbers: [],
      sent: false,
      settled: false,
      bytes,
      deadlineAt: now + this.#options.replyDeadlineMs,
      retryAt: now + readRetryMs,
      retryMs: 2 * readRetryMs,
      answer: null,
    }
    if (!request.isExempt) this.#count(pending, 1, bytes)
    if (request.isRead) this.#reads.add(pending)
    if (!this.#isStopped) this.#timer ??= this.#env.clock.every(deadlineSweepMs, () => this.#sweep())
    return this.#append(uplink, pending, record)
  }

  /** Takes a command back; false when it may be in the log already. */
  cancel(slot: SlotId, n: number): boolean {
    const uplink = this.#slots.get(slot)
    const pending = uplink?.byNumber.get(n)
    if (!uplink || !pending || pending.sent) return false
    uplink.lane.remove((item) => item.pending === pending)
    this.#forget(uplink, pending)
    return true
  }

  /**
   * The answer of a write, at its position. Answers come in the order of numbers, so what is still open below this one
   * has lost its answer on the way. Returns what it was for, undefined when that is not known (any more).
   */
  answer(slot: SlotId, n: number, outcome: Outcome): Work | undefined {
    const uplink = this.#slots.get(slot)
    if (!uplink) return undefined
    const work = uplink.byNumber.get(n)?.work
    for (const [number, pending] of uplink.byNumber) {
      if (number >= n) break
      if (!pending.isRead) this.#lose(uplink, pending)
    }
    this.#end(uplink, n, outcome)
    return work
  }

  /** The answer of a read, or a part of it: without a position, in any order. */
  answerRead(record: AnswerRecord): void {
    const uplink = this.#slots.get(record.slot)
    const pending = uplink?.byNumber.get(record.n)
    if (!uplink || !pending) return
    const answer = (pending.answer ??= new AnswerParts()).add(record)
    if (answer) return this.#end(uplink, record.n, answer)
    // It is on its way.
    pending.retryAt = this.#env.clock.monotonic() + readRetryMs
  }

  #end(uplink: SlotUplink, n: number, outcome: Outcome): void {
    const pending = uplink.byNumber.get(n)
    if (!pending) return
    this.#forget(uplink, pending)
    this.#settle(pending, outcome)
  }

  /** The slot could not tell this instance everything: the outcome of what was sent stays unknown. */
  resync(slot: SlotId): void {
    const uplink = this.#slots.get(slot)
    if (!uplink) return
    for (const pending of new Set(uplink.byNumber.values())) {
      if (pending.sent && !pending.isRead) this.#lose(uplink, pending)
    }
  }

  /** Slots that have not answered a write by its deadline. */
  overdueSlots(): SlotId[] {
    const overdue = ({ byNumber }: SlotUplink) => byNumber.values().some(({ settled, isRead }) => settled && !isRead)
    return [...this.#slots].filter(([, uplink]) => overdue(uplink)).map(([slot]) => slot)
  }

  /** No answer will come: the outcome stays unknown. */
  #lose(uplink: SlotUplink, pending: Pending): void {
    this.#forget(uplink, pending)
    this.#settle(pending, { error: errors.internal, body: emptyPayload, version: '' })
  }

  /** Nothing more is sent, and no outcome is told any more. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    for (const { lane } of this.#slots.values()) lane.stop()
  }

  #open(slot: SlotId): SlotUplink {
    const { group, partition } = parseSlot(slot)
    const topic = commandTopic(group)
    const uplink: SlotUplink = {
      lane: new AppendLane({
        log: this.#env.log,
        clock: this.#env.clock,
        topic,
        partition,
        ...laneReports(this.#env, topic),
      }),
      nextNumber: 1,
      byNumber: new Map(),
    }
    this.#slots.set(slot, uplink)
    return uplink
  }

  #count({ slotId, channel }: Pending, commands: number, bytes: number): void {
    this.#inFlight.change(slotId, channel, commands, bytes)
    const { metrics } = this.#env
    metrics.inFlight.set(this.#inFlight.total.commands)
    metrics.inFlightBytes.set(this.#inFlight.total.bytes)
  }

  /** The command under the number that the slot gives next. */
  #encode(uplink: SlotUplink, request: Request): { key: Buffer; value: Buffer } {
    const { instance, producer } = this.#options
    const command: CommandRecord = {
      producer,
      n: uplink.nextNumber,
      instance,
      session: request.session,
      user: request.user,
      channel: request.channel,
      method: request.method,
      time: this.#env.clock.now(),
      seed: this.#env.random.hex(12),
      history: request.history,
      connInfo: request.connInfo,
      takesParts: request.isRead,
      payload: request.payload,
    }
    return { key: Buffer.from(request.channel), value: encodeCommand(command) }
  }

  #append(uplink: SlotUplink, pending: Pending, entry: { key: Buffer; value: Buffer }): number {
    const n = uplink.nextNumber++
    pending.numbers.push(n)
    uplink.byNumber.set(n, pending)
    uplink.lane.push({
      entry,
      pending,
      sending: () => (pending.sent = true),
      refused: () => {
        this.#forget(uplink, pending)
        this.#settle(pending, { error: errors.limitExceeded, body: emptyPayload, version: '' })
        return null
      },
    })
    return n
  }

  #forget(uplink: SlotUplink, pending: Pending): void {
    for (const n of pending.numbers) uplink.byNumber.delete(n)
    this.#reads.delete(pending)
    if (!pending.isExempt) this.#count(pending, -1, -pending.bytes)
  }

  #settle(pending: Pending, outcome: Outcome): void {
    if (pending.settled) return
    pending.settled = true
    this.#options.settled(pending.work, pending.numbers[0]!, outcome)
  }

  #sweep(): void {
    const now = this.#env.clock.monotonic()
    let isIdle = true
    for (const uplink of this.#slots.values()) {
      if (uplink.byNumber.size > 0) isIdle = false
      // In the order of numbers, hence of deadlines: the first that has time left ends the look. Once each, whatever numbers
      // a read has by now.
      const expired = new Set<Pending>()
      for (const pending of uplink.byNumber.values()) {
        if (pending.isExempt || pending.settled) continue
        if (pending.deadlineAt > now) break
        expired.add(pending)
      }
      if (expired.size > 0) this.#expire(uplink, expired)
    }
    for (const pending of this.#reads) {
      if (pending.sent && pending.retryAt <= now) this.#askAgain(pending, now)
    }
    if (!isIdle) return
    this.#timer?.cancel()
    this.#timer = null
  }

  /**
   * The client hears that the outcome is unknown. A write that was sent stays in flight until its answer, so that a
   * slot that stands still ends in "too many requests" and not in a pile.
   */
  #expire(uplink: SlotUplink, expired: Set<Pending>): void {
    const unsent = new Set(expired.values().filter(({ sent }) => !sent))
    if (unsent.size > 0) uplink.lane.remove(({ pending }) => unsent.has(pending))
    for (const pending of expired) {
      const isOver = !pending.sent || pending.isRead
      if (isOver) this.#forget(uplink, pending)
      this.#settle(pending, { error: errors.internal, body: emptyPayload, version: '' })
      if (!isOver) this.#shrink(pending)
    }
  }

  /** Keeps no more of a command than its answer event will need. */
  #shrink(pending: Pending): void {
    this.#count(pending, 0, answeredBytes - pending.bytes)
    pending.bytes = answeredBytes
    pending.payload = emptyPayload
    pending.connInfo = null
  }

  #askAgain(pending: Pending, now: number): void {
    pending.retryAt = now + pending.retryMs
    pending.retryMs *= 2
    this.#env.metrics.readRetries.inc()
    const uplink = this.#slots.get(pending.slotId)!
    this.#append(uplink, pending, this.#encode(uplink, pending))
  }
}
