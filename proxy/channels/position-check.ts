import type { Clock } from '../../platform/clock.ts'
import { jsonBytes, topsAnswerBytesMax } from '../../protocol/records/sizes.ts'
import type { SlotId } from '../../protocol/slot.ts'

/** Channels asked for in one command; fewer where their names are long. */
export const topsMax = 1_000

/** More than a channel takes in an answer beside its name: its epoch, its top, and what is around them. */
const topOverheadBytes = 64

/** A slot that has not answered is asked again after so many checks: the log may have lost the question. */
export const checksUnanswered = 3

/** Sends a command that asks for tops; false when it cannot go. */
type Send = (slot: SlotId, channels: string[], askedAt: number) => boolean

/**
 * Asks slots for the tops of channels in batches. Each question knows when it was asked: its answer says nothing about a
 * channel that opened later.
 */
export class PositionCheck {
  readonly #clock: Clock
  readonly #send: Send
  /** Questions of each slot that are open. */
  readonly #open = new Map<SlotId, number>()
  /** Checks since a slot was asked and did not answer. */
  readonly #unanswered = new Map<SlotId, number>()

  constructor(clock: Clock, send: Send) {
    this.#clock = clock
    this.#send = send
  }

  /**
   * Asks each slot for the tops of its channels, of which there may be none: an answer, to whatever question, also shows
   * what is lost before it. A slot that has not answered is left alone for a while: little piles up where it stands still.
   */
  ask(channels: Map<SlotId, { name: string }[]>): void {
    for (const [slot, open] of channels) {
      if (!this.#isDue(slot)) continue
      const names = open.map(({ name }) => name)
      for (const some of questionsFor(names)) this.#askFor(slot, some)
    }
  }

  /** A question is answered, or its answer is lost. */
  ended(slot: SlotId): void {
    const open = this.#open.get(slot)! - 1
    if (open > 0) this.#open.set(slot, open)
    else this.#open.delete(slot)
  }

  #isDue(slot: SlotId): boolean {
    const unanswered = this.#open.has(slot) ? (this.#unanswered.get(slot) ?? 0) + 1 : 0
    const isDue = unanswered === 0 || unanswered > checksUnanswered
    if (isDue) this.#unanswered.delete(slot)
    else this.#unanswered.set(slot, unanswered)
    return isDue
  }

  #askFor(slot: SlotId, names: string[]): void {
    if (this.#send(slot, names, this.#clock.monotonic())) this.#open.set(slot, (this.#open.get(slot) ?? 0) + 1)
  }
}

/** Names in questions whose answers fit (`topsAnswerBytesMax`); one question even without any name. */
export function questionsFor(names: string[]): string[][] {
  const questions: string[][] = []
  let question: string[] = []
  let bytes = 0
  for (const name of names) {
    const size = jsonBytes(name) + topOverheadBytes
    if (question.length === topsMax || (question.length > 0 && bytes + size > topsAnswerBytesMax)) {
      questions.push(question)
      question = []
      bytes = 0
    }
    question.push(name)
    bytes += size
  }
  return [...questions, question]
}
