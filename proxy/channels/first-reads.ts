import type { ClientError } from '../../protocol/client/codes.ts'
import type { Channel } from './channel.ts'
import type { Missed, MissedPage, MissedRange } from './missed.ts'
import type { ReadBudget } from '../uplink/read-budget.ts'
import type { Session } from '../sessions/session.ts'

/** First reads of recoveries that one session has under way; the next ones wait for one to end. */
export const firstReadsMax = 8

/** Who asked for a read. */
export interface Asker {
  /** Asked when its turn comes and when it is answered; what nobody wants any more is dropped. */
  isWanted: () => boolean
  settle: (page: MissedPage) => void
  refused: (error: ClientError) => void
}

/** Of one session: reads under way, and what is to be done when their turn comes. */
interface Turns {
  reads: number
  waiting: (() => void)[]
}

/** What sessions read first of channels that they join: a few at a time for each, while it may read. */
export class FirstReads {
  readonly #missed: Missed
  readonly #budget: ReadBudget
  readonly #sessions = new Map<Session, Turns>()

  constructor(missed: Missed, budget: ReadBudget) {
    this.#missed = missed
    this.#budget = budget
  }

  add(channel: Channel, session: Session, range: MissedRange, { isWanted, settle, refused }: Asker): void {
    const turns = this.#sessions.getOrInsertComputed(session, (): Turns => ({ reads: 0, waiting: [] }))
    turns.waiting.push(() => {
      if (!isWanted()) return
      const refusal = this.#missed.read(channel, session, range, (page) => {
        turns.reads--
        if (isWanted()) settle(page)
        this.#next(session, turns)
      })
      if (refusal) refused(refusal)
      else turns.reads++
    })
    this.#next(session, turns)
  }

  /** Goes on with what waited until its session may read again. */
  sweep(): void {
    for (const [session, turns] of this.#sessions) this.#next(session, turns)
  }

  #next(session: Session, turns: Turns): void {
    const { waiting } = turns
    while (waiting.length > 0 && turns.reads < firstReadsMax && this.#budget.isLeft(session)) waiting.shift()!()
    if (waiting.length === 0 && turns.reads === 0) this.#sessions.delete(session)
  }
}
