import type { Env } from '../../cluster/env.ts'
import { laneReports } from '../../cluster/lane-metrics.ts'
import { AppendLane } from '../../log/append-lane.ts'
import type { LaneItem } from '../../log/append-lane.ts'
import { LogError } from '../../log/errors.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { ClientError } from '../../protocol/client/codes.ts'
import { AnswerParts } from '../../protocol/records/answer-parts.ts'
import type { AnswerRecord } from '../../protocol/records/answer.ts'
import { encodeCommand } from '../../protocol/records/command.ts'
import { emptyPayload } from '../../protocol/records/envelope.ts'
import { commandTopic } from '../../protocol/records/topics.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Outcome, Request } from './request.ts'
import type { Work } from './work.ts'

/** A read without an answer is asked again after this time, then after twice as long, and so on: it may only be late. */
export const readRetryMs = 1_000
/** What is left of a command that its client has an answer for already: its number, to know its event by. */
const answeredBytes = 200

/** A command of a slot that has no answer. Times are monotonic, ms. */
interface Pending extends Request {
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

/** Who numbers, how long an answer may take (ms), and who hears what becomes of commands. */
export interface SlotUplinkOptions {
  instance: string
  producer: string
  replyDeadlineMs: number
  /** What a channel has in flight has changed by so much. */
  counted: (channel: string, commands: number, bytes: number) => void
  /** What came of a command, once for each that is not taken back. `n` is the first number that it went under. */
  settled: (work: Work, n: number, outcome: Outcome) => void
}

/** The way of commands into one slot: numbers that rise, one append outstanding, and who waits for which answer. */
export class SlotUplink {
  readonly #env: Env
  readonly #options: SlotUplinkOptions
  readonly #lane: AppendLane<LaneItem & { pending: Pending }>
  readonly #byNumber = new Map<number, Pending>()
  readonly #reads = new Set<Pending>()
  #nextNumber = 1

  constructor(env: Env, slot: SlotId, options: SlotUplinkOptions) {
    this.#env = env
    this.#options = options
    const { group, partition } = parseSlot(slot)
    const topic = commandTopic(group)
    this.#lane = new AppendLane<LaneItem & { pending: Pending }>({
      log: env.log,
      clock: env.clock,
      topic,
      partition,
      ...laneReports(env, topic),
      trying: (items) => (env.faults.isSet ? this.#struck(slot, items) : null),
    })
  }

  /** Nothing waits for an answer. */
  get isIdle(): boolean {
    return this.#byNumber.size === 0
  }

  /** A write has not been answered by its deadline. */
  get isOverdue(): boolean {
    return this.#byNumber.values().some(({ settled, isRead }) => settled && !isRead)
  }

  /** The record of a command under the number that comes next. */
  encode(request: Request): { key: Buffer; value: Buffer } {
    const { clock, random } = this.#env
    const value = encodeCommand({
      producer: this.#options.producer,
      n: this.#nextNumber,
      instance: this.#options.instance,
      session: request.session,
      user: request.user,
      channel: request.channel,
      method: request.method,
      time: clock.now(),
      seed: random.hex(12),
      history: request.history,
      connInfo: request.connInfo,
      takesParts: request.isRead,
      payload: request.payload,
    })
    return { key: Buffer.from(request.channel), value }
  }

  /** Sends what `encode` made, which counts for so many bytes, and waits for what comes of it. Returns its number. */
  send(request: Request, entry: { key: Buffer; value: Buffer }, bytes: number): number {
    const now = this.#env.clock.monotonic()
    const pending: Pending = {
      ...request,
      numbers: [],
      sent: false,
      settled: false,
      bytes,
      deadlineAt: now + this.#options.replyDeadlineMs,
      retryAt: now + readRetryMs,
      retryMs: 2 * readRetryMs,
      answer: null,
    }
    if (!pending.isExempt) this.#options.counted(pending.channel, 1, bytes)
    if (pending.isRead) this.#reads.add(pending)
    return this.#append(pending, entry)
  }

  /** Takes a command back; false when it may be in the log already. */
  cancel(n: number): boolean {
    const pending = this.#byNumber.get(n)
    if (!pending || pending.sent) return false
    this.#lane.remove((item) => item.pending === pending)
    this.#forget(pending)
    return true
  }

  /**
   * The answer of a write. Answers come in the order of numbers, so what is still open below this one has lost its answer
   * on the way. Returns what it was for, undefined when that is not known (any more).
   */
  answer(n: number, outcome: Outcome): Work | undefined {
    const work = this.#byNumber.get(n)?.work
    for (const [number, pending] of this.#byNumber) {
      if (number >= n) break
      if (!pending.isRead) this.#end(pending, outcomeUnknown)
    }
    const pending = this.#byNumber.get(n)
    if (pending) this.#end(pending, outcome)
    return work
  }

  /** The answer of a read, or a part of it: in any order. */
  answerRead(record: AnswerRecord): void {
    const pending = this.#byNumber.get(record.n)
    if (!pending) return
    const answer = (pending.answer ??= new AnswerParts()).add(record)
    if (answer) return this.#end(pending, answer)
    // It is on its way.
    pending.retryAt = this.#env.clock.monotonic() + readRetryMs
  }

  /** Answers were lost: the outcome of what was sent stays unknown. */
  resync(): void {
    for (const pending of new Set(this.#byNumber.values())) {
      if (pending.sent && !pending.isRead) this.#end(pending, outcomeUnknown)
    }
  }

  /**
   * Whoever waited until its deadline hears that the outcome is unknown. A write that was sent stays in flight until its
   * answer, so that a slot that stands still ends in "too many requests" and not in a pile.
   */
  expire(now: number): void {
    const expired = this.#expired(now)
    if (expired.size === 0) return
    const unsent = new Set(expired.values().filter(({ sent }) => !sent))
    if (unsent.size > 0) this.#lane.remove(({ pending }) => unsent.has(pending))
    for (const pending of expired) {
      const isOver = !pending.sent || pending.isRead
      if (isOver) this.#forget(pending)
      this.#settle(pending, outcomeUnknown)
      if (!isOver) this.#shrink(pending)
    }
  }

  /** Asks reads again whose answer may be lost. */
  askAgain(now: number): void {
    for (const pending of this.#reads) {
      if (!pending.sent || pending.retryAt > now) continue
      pending.retryAt = now + pending.retryMs
      pending.retryMs *= 2
      this.#env.metrics.readRetries.inc()
      this.#append(pending, this.encode(pending))
    }
  }

  stop(): void {
    this.#lane.stop()
  }

  #append(pending: Pending, entry: { key: Buffer; value: Buffer }): number {
    const n = this.#nextNumber++
    pending.numbers.push(n)
    this.#byNumber.set(n, pending)
    this.#lane.push({
      entry,
      pending,
      sending: () => (pending.sent = true),
      refused: () => {
        this.#end(pending, failed(errors.limitExceeded))
        return null
      },
    })
    return n
  }

  /** What befalls an append: the lane tries one that fails again, as it does any. */
  #struck(slot: SlotId, items: { pending: Pending }[]): Promise<void> {
    const { group } = parseSlot(slot)
    const commands = items.map(({ pending: { channel, user } }) => ({ channel, user, group }))
    return this.#env.faults.request('produce', commands, slot, (message) => new LogError('unavailable', message))
  }

  #end(pending: Pending, outcome: Outcome): void {
    this.#forget(pending)
    this.#settle(pending, outcome)
  }

  #forget(pending: Pending): void {
    for (const n of pending.numbers) this.#byNumber.delete(n)
    this.#reads.delete(pending)
    if (!pending.isExempt) this.#options.counted(pending.channel, -1, -pending.bytes)
  }

  #settle(pending: Pending, outcome: Outcome): void {
    if (pending.settled) return
    pending.settled = true
    this.#options.settled(pending.work, pending.numbers[0]!, outcome)
  }

  /** Once each, whatever numbers a read has by now. */
  #expired(now: number): Set<Pending> {
    const expired = new Set<Pending>()
    // In the order of numbers, hence of deadlines: the first that has time left ends the look.
    for (const pending of this.#byNumber.values()) {
      if (pending.isExempt || pending.settled) continue
      if (pending.deadlineAt > now) break
      expired.add(pending)
    }
    return expired
  }

  /** Keeps no more of a command than its answer event will need. */
  #shrink(pending: Pending): void {
    this.#options.counted(pending.channel, 0, answeredBytes - pending.bytes)
    pending.bytes = answeredBytes
    pending.payload = emptyPayload
    pending.connInfo = null
  }
}

function failed(error: ClientError): Outcome {
  return { error, body: emptyPayload, version: '' }
}

/** No answer will come: nobody knows what came of it. */
const outcomeUnknown = failed(errors.internal)
