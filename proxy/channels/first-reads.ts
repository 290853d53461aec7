import type { ClientError } from '../../protocol/client/codes.ts'
import type { ReadBudget } from '../sessions/read-budget.ts'
import type { Session } from '../sessions/session.ts'
import type { Missed } from './missed.ts'

/** First reads of recoveries that one session has under way; the next ones wait for one to end. */
export const firstReadsMax = 8

/** A range that a session is to read of a channel that it joins. */
export interface Turn {
  channel: string
  after: number
  upTo: number
  history: { size: number; ttlMs: number }
}

/** Of one session: reads under way, and those whose turn is to come. */
interface Turns {
  reads: number
  waiting: Turn[]
}

/** How much may be read, and for whom. */
export interface FirstReadsOptions {
  /** Publications that a recovery may bring. */
  recoveryLimit: number
  /** Asked when its turn comes: what nobody wants any more is not read. */
  isWanted: (session: Session, turn: Turn) => boolean
  refused: (session: Session, turn: Turn, error: ClientError) => void
}

/** What sessions read first of channels that they join: a few at a time for each, while it may read. */
export class FirstReads {
  readonly #missed: Missed
  readonly #budget: ReadBudget
  readonly #options: FirstReadsOptions
  readonly #sessions = new Map<Session, Turns>()

  constructor(missed: Missed, budget: ReadBudget, options: FirstReadsOptions) {
    this.#missed = missed
    this.#budget = budget
    this.#options = options
  }

  /** Reads when it is this one's turn. */
  add(session: Session, turn: Turn): void {
    const turns = this.#sessions.getOrInsertComputed(session, (): Turns => ({ reads: 0, waiting: [] }))
    turns.waiting.push(turn)
    this.#next(session, turns)
  }

  /** One of the session's reads is answered, and what it brought is dealt with. */
  ended(session: Session): void {
    const turns = this.#sessions.get(session)!
    turns.reads--
    this.#next(session, turns)
  }

  /** Goes on with what waited until its session may read again. */
  sweep(): void {
    for (const [session, turns] of this.#sessions) this.#next(session, turns)
  }

  #next(session: Session, turns: Turns): void {
    const { waiting } = turns
    while (waiting.length > 0 && turns.reads < firstReadsMax && this.#budget.isLeft(session))
      this.#begin(session, turns, waiting.shift()!)
    if (waiting.length === 0 && turns.reads === 0) this.#sessions.delete(session)
  }

  #begin(session: Session, turns: Turns, turn: Turn): void {
    if (!this.#options.isWanted(session, turn)) return
    const { channel, after, upTo, history } = turn
    const range = { after, upTo, history, limit: this.#options.recoveryLimit }
    const refusal = this.#missed.read({ for: 'joining', session, channel, after, upTo }, range)
    if (refusal) this.#options.refused(session, turn, refusal)
    else turns.reads++
  }
}
