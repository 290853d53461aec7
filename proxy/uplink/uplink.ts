import type { Env } from '../../cluster/env.ts'
import { recordBytes } from '../../log/rules.ts'
import type { Timer } from '../../platform/clock.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { ClientError } from '../../protocol/client/codes.ts'
import type { AnswerRecord } from '../../protocol/records/answer.ts'
import { commandBytesMax } from '../../protocol/records/sizes.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { InFlight, commandOverheadBytes } from './in-flight.ts'
import type { InFlightLimits } from './in-flight.ts'
import type { Outcome, Request } from './request.ts'
import { SlotUplink } from './slot-uplink.ts'
import type { Work } from './work.ts'

/** Who numbers, into which slots, within which bounds, and who hears what came of it. Times are ms. */
export interface UplinkOptions {
  instance: string
  producer: string
  slotOf: (channel: string) => SlotId
  inFlight: InFlightLimits
  replyDeadlineMs: number
  /** What came of a command, once for each that is not taken back. `n` is the first number that it went under. */
  settled: (work: Work, n: number, outcome: Outcome) => void
}

/** How often deadlines are looked at. */
export const deadlineSweepMs = 100

/** The way of commands into the log: to which slot each goes, what may be in flight, and deadlines (delivery: into the log). */
export class Uplink {
  readonly #env: Env
  readonly #options: UplinkOptions
  readonly #slots = new Map<SlotId, SlotUplink>()
  readonly #inFlight: InFlight
  /** Runs while anything waits for an answer. */
  #timer: Timer | null = null
  #isStopped = false

  constructor(env: Env, options: UplinkOptions) {
    this.#env = env
    this.#options = options
    this.#inFlight = new InFlight(options.inFlight)
  }

  /** A channel's slot, for good. */
  slotOf(channel: string): SlotId {
    return this.#options.slotOf(channel)
  }

  /**
   * Sends a command; what comes of it is told once unless the command is taken back. Returns its number, or the error
   * with which it is refused: what is too large for the log, or more than may be in flight, is not sent.
   */
  send(request: Request): number | ClientError {
    const slot = request.slot ?? this.slotOf(request.channel)
    const uplink = this.#slots.getOrInsertComputed(slot, () => this.#open(slot))
    const record = uplink.encode(request)
    const bytes = record.key.length + record.value.length + commandOverheadBytes
    if (recordBytes(record) > commandBytesMax) return errors.limitExceeded
    if (!request.isExempt && !this.#inFlight.fits(slot, request.channel, bytes)) return errors.tooManyRequests
    if (!this.#isStopped) this.#timer ??= this.#env.clock.every(deadlineSweepMs, () => this.#sweep())
    return uplink.send(request, record, bytes)
  }

  /** Takes a command back; false when it may be in the log already. */
  cancel(slot: SlotId, n: number): boolean {
    return this.#slots.get(slot)?.cancel(n) ?? false
  }

  /**
   * The answer of a write, at its position. Answers come in the order of numbers, so what is still open below this one
   * has lost its answer on the way. Returns what it was for, undefined when that is not known (any more).
   */
  answer(slot: SlotId, n: number, outcome: Outcome): Work | undefined {
    return this.#slots.get(slot)?.answer(n, outcome)
  }

  /** The answer of a read, or a part of it: without a position, in any order. */
  answerRead(record: AnswerRecord): void {
    this.#slots.get(record.slot)?.answerRead(record)
  }

  /** The slot could not tell this instance everything: the outcome of what was sent stays unknown. */
  resync(slot: SlotId): void {
    this.#slots.get(slot)?.resync()
  }

  /** Slots that have not answered a write by its deadline. */
  overdueSlots(): SlotId[] {
    return [...this.#slots].filter(([, { isOverdue }]) => isOverdue).map(([slot]) => slot)
  }

  /** Nothing more is sent, and no outcome is told any more. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    for (const uplink of this.#slots.values()) uplink.stop()
  }

  #open(slot: SlotId): SlotUplink {
    const { instance, producer, replyDeadlineMs, settled } = this.#options
    return new SlotUplink(this.#env, slot, {
      instance,
      producer,
      replyDeadlineMs,
      settled,
      counted: (channel, commands, bytes) => this.#count(slot, channel, commands, bytes),
    })
  }

  #count(slot: SlotId, channel: string, commands: number, bytes: number): void {
    this.#inFlight.change(slot, channel, commands, bytes)
    const { metrics } = this.#env
    metrics.inFlight.set(this.#inFlight.total.commands)
    metrics.inFlightBytes.set(this.#inFlight.total.bytes)
  }

  #sweep(): void {
    const now = this.#env.clock.monotonic()
    const isIdle = this.#slots.values().every((uplink) => uplink.isIdle)
    for (const uplink of this.#slots.values()) uplink.expire(now)
    for (const uplink of this.#slots.values()) uplink.askAgain(now)
    if (!isIdle) return
    this.#timer?.cancel()
    this.#timer = null
  }
}
